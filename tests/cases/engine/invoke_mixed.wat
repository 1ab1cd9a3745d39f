;;! about = "integers and floats of both widths"
;;!
;;! [spec.entry.invoke]
;;! name = "mixed"
;;! args = ["3", "0.5", "1.25"]
;;!
;;! [expect]
;;! exit = 0
;;! results = [{ f64 = 4617034042984890368 }]

(module
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "mixed") (param i64 f32 f64) (result f64)
    (f64.add (local.get 2) (f64.add (f64.promote_f32 (local.get 1)) (f64.convert_i64_s (local.get 0)))))
  (func (export "swap") (param i32 i64) (result i64 i32) (local.get 1) (local.get 0))
  (func (export "nothing"))
  (memory (export "memory") 1))
