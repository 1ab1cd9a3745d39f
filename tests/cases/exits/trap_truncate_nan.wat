;;! about = "NaN is no integer"
;;!
;;! [expect]
;;! trap = "invalid-conversion"
;;! code = 134

(module
  (memory (export "memory") 1)
  (func (export "_start")
    (drop (i32.trunc_f32_u (f32.const nan)))))
