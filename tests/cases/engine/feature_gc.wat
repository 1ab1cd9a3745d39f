;;! about = "structs and arrays that are collected"
;;! requires = ["gc"]
;;!
;;! [expect]
;;! exit = 42

(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (type $point (struct (field $x (mut i32)) (field $y i32)))
  (type $list (array (mut i32)))
  (func (export "_start") (local $p (ref null $point)) (local $n i32)
    (loop $again
      (local.set $p (struct.new $point (local.get $n) (i32.const 2)))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $n) (i32.const 100000))))
    (struct.set $point $x (local.get $p) (i32.const 30))
    (call $proc_exit (i32.add
      (i32.add (struct.get $point $x (local.get $p)) (struct.get $point $y (local.get $p)))
      (array.len (array.new $list (i32.const 0) (i32.const 10)))))))
