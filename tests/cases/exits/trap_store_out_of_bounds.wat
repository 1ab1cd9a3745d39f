;;! about = "a store far beyond the end, through the static offset"
;;!
;;! [expect]
;;! trap = "memory-out-of-bounds"
;;! code = 134

(module
  (memory (export "memory") 1)
  (func (export "_start")
    (i64.store offset=4294967295 (i32.const -1) (i64.const 1))))
