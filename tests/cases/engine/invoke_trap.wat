;;! about = "a trap in an invoked export is a trap"
;;!
;;! [spec.entry.invoke]
;;! name = "divide"
;;! args = ["1", "0"]
;;!
;;! [expect]
;;! trap = "integer-divide-by-zero"

(module
  (func (export "divide") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1))))
