;;! about = "a call through an empty table slot"
;;!
;;! [expect]
;;! trap = "undefined-element"
;;! code = 134

(module
  (table 4 funcref)
  (type $t (func))
  (func (export "_start") (call_indirect (type $t) (i32.const 1))))
