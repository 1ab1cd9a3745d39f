;;! about = "imports of every kind of value get through to the host and back"
;;!
;;! [[before]]
;;! path = "data/a.txt"
;;! text = "hello"
;;!
;;! [[spec.preopens]]
;;! host = "{tmp}/data"
;;! guest = "/data"
;;!
;;! [expect]
;;! exit = 42

(module
  (import "wasi_snapshot_preview1" "fd_seek" (func $fd_seek (param i32 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (memory (export "memory") 1)
  ;; Seeking to 2^40 in a file shows that all 64 bits arrive.
  (data (i32.const 64) "a.txt")
  (func (export "_start")
    (if (call $path_open (i32.const 3) (i32.const 1) (i32.const 64) (i32.const 5) (i32.const 0)
          (i64.const 6) (i64.const 6) (i32.const 0) (i32.const 0)) (then unreachable))
    (if (call $fd_seek (i32.load (i32.const 0)) (i64.const 0x10000000000) (i32.const 0) (i32.const 8)) (then unreachable))
    (if (i64.ne (i64.load (i32.const 8)) (i64.const 0x10000000000)) (then unreachable))
    (call $proc_exit (i32.const 42))))
