;;! about = "two functions that call each other without end, with arguments on the stack"
;;! rows = [13]
;;!
;;! [spec.limits]
;;! wall_time = "60s"
;;!
;;! [expect]
;;! trap = "stack-overflow"
;;! code = 134

(module
  (func $even (param i64 i64 i64 f64) (result i64)
    (i64.add (i64.const 1) (call $odd (local.get 1) (local.get 0) (local.get 2) (local.get 3))))
  (func $odd (param i64 i64 i64 f64) (result i64)
    (i64.mul (i64.const 3) (call $even (local.get 2) (local.get 0) (local.get 1) (local.get 3))))
  (func (export "_start")
    (drop (call $even (i64.const 1) (i64.const 2) (i64.const 3) (f64.const 4)))))
