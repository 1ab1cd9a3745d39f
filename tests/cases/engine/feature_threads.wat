;;! about = "atomics on a memory of one's own"
;;! requires = ["threads"]
;;!
;;! [expect]
;;! exit = 42

(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (drop (i32.atomic.rmw.add (i32.const 8) (i32.const 40)))
    (drop (i32.atomic.rmw.cmpxchg (i32.const 8) (i32.const 40) (i32.const 42)))
    (if (memory.atomic.notify (i32.const 8) (i32.const 1)) (then unreachable))
    (call $proc_exit (i32.atomic.load (i32.const 8)))))
