;;! about = "two memories"
;;! requires = ["multi-memory"]
;;!
;;! [expect]
;;! exit = 42

(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory $a (export "memory") 1)
  (memory $b 1)
  (data (memory $b) (i32.const 7) "\2a")
  (func (export "_start")
    (memory.copy $a $b (i32.const 0) (i32.const 7) (i32.const 1))
    (call $proc_exit (i32.load8_u $a (i32.const 0)))))
