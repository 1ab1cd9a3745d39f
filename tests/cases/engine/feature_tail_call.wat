;;! about = "a million tail calls use no stack"
;;! requires = ["tail-call"]
;;!
;;! [expect]
;;! exit = 42

(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (func $down (param i32 i32) (result i32)
    (if (i32.eqz (local.get 0)) (then (return (local.get 1))))
    (return_call $down (i32.sub (local.get 0) (i32.const 1)) (local.get 1)))
  (func (export "_start") (call $proc_exit (call $down (i32.const 1000000) (i32.const 42)))))
