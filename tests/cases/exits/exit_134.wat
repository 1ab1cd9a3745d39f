;;! about = "proc_exit(134) looks like a trap from outside, and is an exit in the report"
;;! rows = [21]
;;!
;;! [expect]
;;! exit = 134
;;! code = 134

(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (call $proc_exit (i32.const 134))
    unreachable))
