;;! about = "native code in a custom section is stripped: what runs is the module"
;;! rows = [17]
;;!
;;! [expect]
;;! exit = 6

(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start") (call $proc_exit (i32.const 6)))
  (@custom "wasmedge" (after last) "\7fELF\02\01\01 this is not code, and must not be looked at"))
