;;! about = "one unit less than the same guest uses is not enough"
;;! rows = [12]
;;! requires = ["fuel", "bulk-memory"]
;;!
;;! [spec.limits]
;;! fuel = 2337801
;;!
;;! [expect]
;;! limit = "fuel"

(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1 4)
  (table 4 funcref)
  (elem (i32.const 0) $double $square $fib $double)
  (type $unary (func (param i32) (result i32)))
  (data (i32.const 0) "\10\00\00\00\05\00\00\00")
  (data (i32.const 16) "done\n")
  (data $passive "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")
  (global $sum (mut i32) (i32.const 0))
  (func $double (type $unary) (i32.shl (local.get 0) (i32.const 1)))
  (func $square (type $unary) (i32.mul (local.get 0) (local.get 0)))
  (func $fib (type $unary)
    (if (result i32) (i32.lt_u (local.get 0) (i32.const 2))
      (then (local.get 0))
      (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1))) (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
  (func $pick (param $n i32) (result i32)
    (block $c (block $b (block $a
      (br_table $a $b $c (i32.rem_u (local.get $n) (i32.const 3))))
      (return (i32.div_u (local.get $n) (i32.const 7))))
      (return (i32.const 1)))
    (i32.xor (local.get $n) (i32.const 5)))
  (func (export "_start") (local $n i32)
    (drop (memory.grow (i32.const 2)))
    (loop $again
      (global.set $sum (i32.add (global.get $sum)
        (call_indirect (type $unary) (i32.and (local.get $n) (i32.const 15)) (i32.and (local.get $n) (i32.const 3)))))
      (global.set $sum (i32.add (global.get $sum) (call $pick (local.get $n))))
      (memory.fill (i32.const 1024) (local.get $n) (i32.and (local.get $n) (i32.const 1023)))
      (memory.copy (i32.const 4096) (i32.const 1024) (i32.const 300))
      (memory.init $passive (i32.const 8192) (i32.const 0) (i32.and (local.get $n) (i32.const 63)))
      (br_if $again (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 2000))))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))
