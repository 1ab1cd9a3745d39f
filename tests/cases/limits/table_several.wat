;;! about = "the limit is on the sum of all tables"
;;! rows = [11]
;;! requires = ["reference-types"]
;;!
;;! [spec.limits]
;;! table_elements = 1000
;;!
;;! [expect]
;;! exit = 0

(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (table $a 10 funcref)
  (table $b 10 externref)
  (func (export "_start")
    (if (i32.ne (table.grow $a (ref.null func) (i32.const 500)) (i32.const 10)) (then (call $proc_exit (i32.const 101))))
    (if (i32.ne (table.grow $b (ref.null extern) (i32.const 481)) (i32.const -1)) (then (call $proc_exit (i32.const 102))))
    (if (i32.ne (table.grow $b (ref.null extern) (i32.const 480)) (i32.const 10)) (then (call $proc_exit (i32.const 103))))
    (if (i32.ne (table.grow $a (ref.null func) (i32.const 1)) (i32.const -1)) (then (call $proc_exit (i32.const 104))))))
