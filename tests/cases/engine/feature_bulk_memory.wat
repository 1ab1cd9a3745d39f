;;! about = "memory.copy, fill and init"
;;! requires = ["bulk-memory"]
;;!
;;! [expect]
;;! exit = 42

(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (data $d "\2a")
  (func (export "_start")
    (memory.init $d (i32.const 10) (i32.const 0) (i32.const 1))
    (memory.copy (i32.const 20) (i32.const 10) (i32.const 1))
    (memory.fill (i32.const 10) (i32.const 0) (i32.const 5))
    (data.drop $d)
    (call $proc_exit (i32.add (i32.load8_u (i32.const 20)) (i32.load8_u (i32.const 10))))))
