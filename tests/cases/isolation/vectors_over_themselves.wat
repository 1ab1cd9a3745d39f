;;! about = "reading over the list of vectors itself: no crash"
;;! rows = [8]
;;! stdin = "0123456789abcdef0123456789abcdef"
;;!
;;! [expect]
;;! exit = 0

(module
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\00\00\00\00\10\00\00\00\08\00\00\00\10\00\00\00")
  (func (export "_start")
    (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 2) (i32.const 4)))))
