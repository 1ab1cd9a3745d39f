;;! about = "a table above the limit is refused"
;;! rows = [11]
;;!
;;! [spec.limits]
;;! table_elements = 1000
;;!
;;! [expect]
;;! error = "limit-exceeded"
;;! mentions = ["table"]

(module
  (table 1001 funcref)
  (func (export "_start")))
