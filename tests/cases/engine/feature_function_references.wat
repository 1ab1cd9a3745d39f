;;! about = "a call through a typed reference"
;;! requires = ["function-references"]
;;!
;;! [expect]
;;! exit = 42

(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (type $f (func (param i32) (result i32)))
  (elem declare func $inc)
  (func $inc (type $f) (i32.add (local.get 0) (i32.const 1)))
  (func (export "_start") (call $proc_exit (call_ref $f (i32.const 41) (ref.func $inc)))))
