;;! about = "table.fill across the end"
;;! requires = ["reference-types"]
;;!
;;! [expect]
;;! trap = "table-out-of-bounds"
;;! code = 134

(module
  (table 2 funcref)
  (func (export "_start") (table.fill 0 (i32.const 1) (ref.null func) (i32.const 2))))
