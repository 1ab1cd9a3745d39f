;;! about = "proc_exit(1) is exit 1"
;;! rows = [21]
;;!
;;! [expect]
;;! exit = 1
;;! code = 1

(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (call $proc_exit (i32.const 1))
    unreachable))
