;;! about = "a table of 500 million elements is refused by the default limit"
;;! rows = [11]
;;!
;;! [expect]
;;! error = "limit-exceeded"

(module
  (table 500000000 funcref)
  (func (export "_start")))
