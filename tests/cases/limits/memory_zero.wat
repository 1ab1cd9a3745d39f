;;! about = "a limit of nothing leaves a module without memory alone, and one with an empty memory"
;;!
;;! [spec.limits]
;;! memory_bytes = 0
;;!
;;! [expect]
;;! exit = 7

(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 0)
  (func (export "_start")
    (call $proc_exit (i32.add (memory.grow (i32.const 1)) (i32.const 8)))))
