;;! about = "a deadline that is not reached changes nothing"
;;!
;;! [spec.limits]
;;! wall_time = "60s"
;;!
;;! [expect]
;;! exit = 0

(module
  (memory (export "memory") 1)
  (func (export "_start")))
