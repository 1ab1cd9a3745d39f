;;! about = "proc_exit(127) is the guest's code"
;;! rows = [21]
;;!
;;! [expect]
;;! exit = 127
;;! code = 127

(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (call $proc_exit (i32.const 127))
    unreachable))
