;;! about = "pages of one byte are counted by the byte"
;;! rows = [10]
;;! requires = ["custom-page-sizes"]
;;!
;;! [spec.limits]
;;! memory_bytes = "64KiB"
;;!
;;! [expect]
;;! exit = 0

(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 0 (pagesize 1))
  (func (export "_start")
    (if (i32.ne (memory.grow (i32.const 65537)) (i32.const -1)) (then (call $proc_exit (i32.const 101))))
    (if (i32.ne (memory.grow (i32.const 65536)) (i32.const 0)) (then (call $proc_exit (i32.const 102))))))
