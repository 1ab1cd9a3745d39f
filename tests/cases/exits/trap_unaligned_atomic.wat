;;! about = "an atomic load from an odd address"
;;! requires = ["threads"]
;;!
;;! [expect]
;;! trap = "unaligned-atomic"
;;! code = 134

(module
  (memory (export "memory") 1)
  (func (export "_start")
    (drop (i32.atomic.load (i32.const 1)))))
