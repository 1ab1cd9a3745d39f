;;! about = "a memory with 64-bit addresses"
;;! requires = ["memory64"]
;;!
;;! [expect]
;;! exit = 42

(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory $m i64 2)
  (func (export "_start")
    (i32.store (i64.const 100000) (i32.const 42))
    (if (i64.ne (memory.size) (i64.const 2)) (then unreachable))
    (call $proc_exit (i32.load (i64.const 100000)))))
