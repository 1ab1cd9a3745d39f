;;! about = "endless recursion through a table"
;;! rows = [13]
;;!
;;! [spec.limits]
;;! wall_time = "60s"
;;!
;;! [expect]
;;! trap = "stack-overflow"
;;! code = 134

(module
  (table 1 funcref)
  (elem (i32.const 0) $again)
  (type $t (func))
  (func $again (call_indirect (type $t) (i32.const 0)))
  (func (export "_start") (call $again)))
