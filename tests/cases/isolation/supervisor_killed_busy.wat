;;! about = "the same with a guest that computes"
;;! rows = [23]
;;! [interrupt]
;;! signal = "KILL"
;;! when = "ready"
;;!
;;! [expect]
;;! killed = true

(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00\05\00\00\00")
  (data (i32.const 16) "ready")
  (func (export "_start")
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
    (loop $forever (br $forever))))
