;;! about = "proc_exit(126) is the guest's code, no error of the host"
;;! rows = [21]
;;!
;;! [expect]
;;! exit = 126
;;! code = 126

(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (call $proc_exit (i32.const 126))
    unreachable))
