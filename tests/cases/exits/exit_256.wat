;;! about = "a process has 8 bits for its exit code, the report has all of them"
;;! rows = [21]
;;!
;;! [expect]
;;! exit = 256
;;! code = 0

(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (call $proc_exit (i32.const 256))
    unreachable))
