;;! about = "an endless loop is ended at the deadline"
;;! rows = [12]
;;!
;;! [spec.limits]
;;! wall_time = "300ms"
;;!
;;! [expect]
;;! limit = "wall-time"
;;! code = 124
;;! within_seconds = 20

(module
  (memory (export "memory") 1)
  (func (export "_start") (loop $forever (br $forever))))
