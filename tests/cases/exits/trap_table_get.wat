;;! about = "table.get beyond the table"
;;! requires = ["reference-types"]
;;!
;;! [expect]
;;! trap = "table-out-of-bounds"
;;! code = 134

(module
  (table 1 funcref)
  (func (export "_start") (drop (table.get 0 (i32.const 1)))))
