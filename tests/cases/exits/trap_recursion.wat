;;! about = "endless recursion"
;;! rows = [13]
;;!
;;! [spec.limits]
;;! wall_time = "60s"
;;!
;;! [expect]
;;! trap = "stack-overflow"
;;! code = 134

(module
  (func $again (call $again))
  (func (export "_start") (call $again)))
