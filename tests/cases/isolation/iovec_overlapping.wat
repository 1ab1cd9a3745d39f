;;! about = "overlapping vectors to read into: no crash, and the guest goes on"
;;! rows = [8]
;;! stdin = "some input"
;;!
;;! [expect]
;;! exit = 0

(module
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  ;; Two vectors over the same 4 bytes, and the result right behind.
  (data (i32.const 0) "\40\00\00\00\04\00\00\00\42\00\00\00\04\00\00\00")
  (func (export "_start")
    (call $proc_exit (call $fd_read (i32.const 0) (i32.const 0) (i32.const 2) (i32.const 128)))))
