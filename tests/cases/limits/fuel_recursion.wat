;;! about = "recursion uses fuel"
;;! rows = [12]
;;! requires = ["fuel"]
;;!
;;! [spec.limits]
;;! fuel = 100000
;;!
;;! [expect]
;;! limit = "fuel"

(module
  (func $fib (param i32) (result i64)
    (if (result i64) (i32.lt_u (local.get 0) (i32.const 2))
      (then (i64.const 1))
      (else (i64.add (call $fib (i32.sub (local.get 0) (i32.const 1))) (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
  (func (export "_start") (drop (call $fib (i32.const 40)))))
