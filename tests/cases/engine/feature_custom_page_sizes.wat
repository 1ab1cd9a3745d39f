;;! about = "a memory of pages of one byte"
;;! requires = ["custom-page-sizes"]
;;!
;;! [expect]
;;! exit = 42

(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 42 (pagesize 1))
  (func (export "_start")
    (if (i32.ne (memory.grow (i32.const 3)) (i32.const 42)) (then unreachable))
    (call $proc_exit (i32.sub (memory.size) (i32.const 3)))))
