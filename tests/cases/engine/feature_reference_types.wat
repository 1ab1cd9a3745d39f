;;! about = "several tables, references in and out of them"
;;! requires = ["reference-types"]
;;!
;;! [expect]
;;! exit = 42

(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (table $t 2 funcref)
  (table $u 3 externref)
  (elem declare func $f)
  (type $v (func (result i32)))
  (func $f (result i32) (i32.const 40))
  (func (export "_start")
    (table.set $t (i32.const 1) (ref.func $f))
    (call $proc_exit (i32.add (call_indirect $t (type $v) (i32.const 1))
      (i32.add (ref.is_null (table.get $u (i32.const 0))) (ref.is_null (table.get $t (i32.const 0))))))))
