;;! about = "proc_exit(0) is exit 0"
;;! rows = [21]
;;!
;;! [expect]
;;! exit = 0
;;! code = 0

(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (call $proc_exit (i32.const 0))
    unreachable))
