;;! about = "a 64-bit remainder by zero"
;;!
;;! [expect]
;;! trap = "integer-divide-by-zero"
;;! code = 134

(module
  (memory (export "memory") 1)
  (func (export "_start")
    (drop (i64.rem_u (i64.const 1) (i64.const 0)))))
