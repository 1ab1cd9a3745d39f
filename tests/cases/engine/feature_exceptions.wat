;;! about = "an exception thrown and caught two calls away"
;;! requires = ["exceptions"]
;;!
;;! [expect]
;;! exit = 42

(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (tag $oops (param i32))
  (func $throw (throw $oops (i32.const 42)))
  (func $middle (call $throw) unreachable)
  (func (export "_start")
    (block $caught (result i32)
      (try_table (catch $oops $caught) (call $middle))
      unreachable)
    (call $proc_exit)))
