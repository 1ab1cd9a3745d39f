;;! about = "endless recursion in the start section, under a limit of nested calls"
;;! rows = [12, 13]
;;! requires = ["call-depth"]
;;!
;;! [spec.limits]
;;! call_depth = 10000
;;! wall_time = "60s"
;;!
;;! [expect]
;;! trap = "stack-overflow"
;;! code = 134

(module
  (func $again (call $again))
  (start $again)
  (func (export "_start")))
