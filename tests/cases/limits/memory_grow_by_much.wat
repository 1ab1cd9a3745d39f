;;! about = "one large step beyond the limit changes nothing"
;;! rows = [10]
;;!
;;! [spec.limits]
;;! memory_bytes = "1MiB"
;;!
;;! [expect]
;;! exit = 16

(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (if (i32.ne (memory.grow (i32.const 65535)) (i32.const -1)) (then (call $proc_exit (i32.const 101))))
    (if (i32.ne (memory.grow (i32.const -1)) (i32.const -1)) (then (call $proc_exit (i32.const 102))))
    (if (i32.ne (memory.grow (i32.const 15)) (i32.const 1)) (then (call $proc_exit (i32.const 103))))
    (call $proc_exit (memory.size))))
