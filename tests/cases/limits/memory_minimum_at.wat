;;! about = "a module that starts at the limit runs"
;;!
;;! [spec.limits]
;;! memory_bytes = "1MiB"
;;!
;;! [expect]
;;! exit = 0

(module
  (memory (export "memory") 16)
  (func (export "_start")))
