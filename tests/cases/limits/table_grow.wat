;;! about = "table.grow beyond the limit gives -1; up to it, it works"
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
  (table $t 10 funcref)
  (func (export "_start")
    (if (i32.ne (table.grow $t (ref.null func) (i32.const 500000000)) (i32.const -1)) (then (call $proc_exit (i32.const 101))))
    (if (i32.ne (table.grow $t (ref.null func) (i32.const 991)) (i32.const -1)) (then (call $proc_exit (i32.const 102))))
    (if (i32.ne (table.grow $t (ref.null func) (i32.const 990)) (i32.const 10)) (then (call $proc_exit (i32.const 103))))
    (if (i32.ne (table.size $t) (i32.const 1000)) (then (call $proc_exit (i32.const 104))))))
