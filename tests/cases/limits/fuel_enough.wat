;;! about = "a program with enough fuel runs to its end"
;;! requires = ["fuel"]
;;!
;;! [spec.limits]
;;! fuel = 1000000
;;!
;;! [expect]
;;! exit = 0

(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start") (local $n i32)
    (loop $again
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $n) (i32.const 10000))))))
