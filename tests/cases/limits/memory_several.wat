;;! about = "the limit is on the sum of all memories"
;;! rows = [10]
;;! requires = ["multi-memory"]
;;!
;;! [spec.limits]
;;! memory_bytes = "1MiB"
;;!
;;! [expect]
;;! exit = 16
;;! usage.memory_pages = 16

(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory $a (export "memory") 1)
  (memory $b 1)
  (func (export "_start")
    (if (i32.ne (memory.grow $a (i32.const 8)) (i32.const 1)) (then (call $proc_exit (i32.const 101))))
    (if (i32.ne (memory.grow $b (i32.const 7)) (i32.const -1)) (then (call $proc_exit (i32.const 102))))
    (if (i32.ne (memory.grow $b (i32.const 6)) (i32.const 1)) (then (call $proc_exit (i32.const 103))))
    (if (i32.ne (memory.grow $a (i32.const 1)) (i32.const -1)) (then (call $proc_exit (i32.const 104))))
    (if (i32.ne (memory.grow $a (i32.const 0)) (i32.const 9)) (then (call $proc_exit (i32.const 105))))
    (call $proc_exit (i32.add (memory.size $a) (memory.size $b)))))
