;;! about = "arithmetic in constant expressions"
;;! requires = ["extended-const"]
;;!
;;! [expect]
;;! exit = 42

(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (global $g i32 (i32.add (i32.const 40) (i32.const 2)))
  (func (export "_start") (call $proc_exit (global.get $g))))
