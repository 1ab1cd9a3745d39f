;;! about = "what was written before a trap arrives"
;;! rows = [21]
;;!
;;! [expect]
;;! trap = "unreachable"
;;! code = 134
;;! stdout = "before the end"
;;! stderr_contains = ["before the end"]

(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00\0e\00\00\00")
  (data (i32.const 16) "before the end")
  (func (export "_start")
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
    (drop (call $fd_write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))
    unreachable))
