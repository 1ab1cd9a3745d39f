;;! about = "a float that is too large for an integer"
;;!
;;! [expect]
;;! trap = "integer-overflow"
;;! code = 134

(module
  (memory (export "memory") 1)
  (func (export "_start")
    (drop (i32.trunc_f64_s (f64.const 1e300)))))
