;;! about = "the default limit is 512 MiB: grown in one step, no page more"
;;!
;;! [expect]
;;! exit = 0
;;! usage.memory_pages = 8192

(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (if (i32.ne (memory.grow (i32.const 8191)) (i32.const 1)) (then (call $proc_exit (i32.const 101))))
    (if (i32.ne (memory.grow (i32.const 1)) (i32.const -1)) (then (call $proc_exit (i32.const 102))))))
