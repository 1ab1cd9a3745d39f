;;! about = "float arithmetic is the same to the last bit"
;;!
;;! [spec.entry.invoke]
;;! name = "chaos"
;;! args = ["0.3", "100000"]
;;!
;;! [expect]
;;! exit = 0
;;! results = [{ f64 = 4606133320243964442 }]

(module
  (func (export "chaos") (param f64 i32) (result f64)
    (loop $again
      (local.set 0 (f64.mul (f64.mul (f64.const 3.9999) (local.get 0)) (f64.sub (f64.const 1) (local.get 0))))
      (local.set 0 (f64.div (f64.sqrt (f64.mul (local.get 0) (local.get 0))) (f64.const 1.0000000001)))
      (br_if $again (local.tee 1 (i32.sub (local.get 1) (i32.const 1)))))
    (local.get 0)))
