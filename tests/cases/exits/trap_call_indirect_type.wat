;;! about = "a call through a slot with another signature"
;;!
;;! [expect]
;;! trap = "indirect-call-type-mismatch"
;;! code = 134

(module
  (table 1 funcref)
  (elem (i32.const 0) $f)
  (type $t (func (param i32)))
  (func $f)
  (func (export "_start") (call_indirect (type $t) (i32.const 7) (i32.const 0))))
