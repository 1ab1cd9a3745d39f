;;! about = "the minima of all memories count together"
;;! rows = [10]
;;! requires = ["multi-memory"]
;;!
;;! [spec.limits]
;;! memory_bytes = "1MiB"
;;!
;;! [expect]
;;! error = "limit-exceeded"

(module
  (memory (export "memory") 9)
  (memory 8)
  (func (export "_start")))
