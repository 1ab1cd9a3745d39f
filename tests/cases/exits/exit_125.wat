;;! about = "a guest may exit with the code that front-ends use for their own failures; the report tells them apart"
;;! rows = [21]
;;!
;;! [expect]
;;! exit = 125
;;! code = 125

(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (call $proc_exit (i32.const 125))
    unreachable))
