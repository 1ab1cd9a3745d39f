;;! about = "memory growth is seen by host calls that follow"
;;!
;;! [expect]
;;! exit = 0
;;! usage.memory_pages = 11

(module
  (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (drop (memory.grow (i32.const 10)))
    (call $proc_exit (call $random_get (i32.const 655360) (i32.const 65536)))))
