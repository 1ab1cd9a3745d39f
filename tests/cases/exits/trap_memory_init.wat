;;! about = "memory.init beyond its segment"
;;! requires = ["bulk-memory"]
;;!
;;! [expect]
;;! trap = "memory-out-of-bounds"
;;! code = 134

(module
  (memory (export "memory") 1)
  (data "12345678")
  (func (export "_start")
    (memory.init 0 (i32.const 0) (i32.const 0) (i32.const 9))))
