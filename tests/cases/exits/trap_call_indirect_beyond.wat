;;! about = "a call through an index beyond the table"
;;!
;;! [expect]
;;! trap = "table-out-of-bounds"
;;! code = 134

(module
  (table 4 funcref)
  (type $t (func))
  (func (export "_start") (call_indirect (type $t) (i32.const 4))))
