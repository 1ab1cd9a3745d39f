;;! about = "the same in front of everything, and twice"
;;! rows = [17]
;;!
;;! [expect]
;;! exit = 6

(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (@custom "wasmedge" (before first) "\00")
  (@custom "wasmedge" (before first) "\03\00\00\00\00\00\00\00garbage")
  (memory (export "memory") 1)
  (func (export "_start") (call $proc_exit (i32.const 6))))
