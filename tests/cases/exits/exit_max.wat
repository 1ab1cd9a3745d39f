;;! about = "the largest code: 255 for the process, all bits in the report"
;;! rows = [21]
;;!
;;! [expect]
;;! exit = 4294967295
;;! code = 255

(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (call $proc_exit (i32.const 4294967295))
    unreachable))
