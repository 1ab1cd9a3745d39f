;;! about = "vectors whose lengths add up beyond 32 bits"
;;! rows = [8]
;;! stdin = "some input"
;;!
;;! [expect]
;;! trap = "bad-pointer"

(module
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\00\10\00\00\ff\ff\ff\ff\00\10\00\00\ff\ff\ff\ff")
  (func (export "_start")
    (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 2) (i32.const 32)))))
