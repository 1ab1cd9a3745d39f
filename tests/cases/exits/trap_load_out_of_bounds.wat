;;! about = "a load across the end of memory"
;;!
;;! [expect]
;;! trap = "memory-out-of-bounds"
;;! code = 134

(module
  (memory (export "memory") 1)
  (func (export "_start")
    (drop (i32.load (i32.const 65533)))))
