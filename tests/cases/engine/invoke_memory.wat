;;! about = "an export that is no function cannot be called"
;;!
;;! [spec.entry.invoke]
;;! name = "memory"
;;!
;;! [expect]
;;! error = "missing-export"
;;! mentions = ["memory"]

(module
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "mixed") (param i64 f32 f64) (result f64)
    (f64.add (local.get 2) (f64.add (f64.promote_f32 (local.get 1)) (f64.convert_i64_s (local.get 0)))))
  (func (export "swap") (param i32 i64) (result i64 i32) (local.get 1) (local.get 0))
  (func (export "nothing"))
  (memory (export "memory") 1))
