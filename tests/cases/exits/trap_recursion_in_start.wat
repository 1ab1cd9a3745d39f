;;! about = "endless recursion in the start section"
;;! rows = [12, 13]
;;!
;;! [spec.limits]
;;! wall_time = "60s"
;;!
;;! [expect]
;;! trap = "stack-overflow"
;;! code = 134

(module
  (func $again (call $again))
  (start $again)
  (func (export "_start")))
