;;! about = "a table at the limit runs"
;;!
;;! [spec.limits]
;;! table_elements = 1000
;;!
;;! [expect]
;;! exit = 0

(module
  (table 1000 funcref)
  (func (export "_start")))
