;;! about = "a module that starts above the limit is refused, naming both"
;;! rows = [10]
;;!
;;! [spec.limits]
;;! memory_bytes = "1MiB"
;;!
;;! [expect]
;;! error = "limit-exceeded"
;;! code = 126
;;! mentions = ["memory"]

(module
  (memory (export "memory") 17)
  (func (export "_start")))
