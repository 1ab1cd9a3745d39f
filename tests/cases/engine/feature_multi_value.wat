;;! about = "several results, and blocks with parameters"
;;! requires = ["multi-value"]
;;!
;;! [expect]
;;! exit = 42

(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (func $two (result i32 i32) (i32.const 40) (i32.const 2))
  (func (export "_start")
    (call $two)
    (block (param i32 i32) (result i32) (i32.add))
    (call $proc_exit)))
