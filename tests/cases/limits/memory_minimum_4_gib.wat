;;! about = "a module that starts with 4 GiB is refused by the default limit"
;;! rows = [10]
;;!
;;! [expect]
;;! error = "limit-exceeded"

(module
  (memory (export "memory") 65536)
  (func (export "_start")))
