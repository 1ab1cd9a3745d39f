;;! about = "a bulk operation across the end writes nothing"
;;! requires = ["bulk-memory"]
;;!
;;! [expect]
;;! trap = "memory-out-of-bounds"
;;! code = 134

(module
  (memory (export "memory") 1)
  (func (export "_start")
    (memory.fill (i32.const 65535) (i32.const 1) (i32.const 2))))
