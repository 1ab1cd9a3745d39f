;;! about = "an endless loop uses up its processor time"
;;! rows = [12]
;;!
;;! [spec.limits]
;;! cpu_time = "300ms"
;;!
;;! [expect]
;;! limit = "cpu-time"
;;! code = 152
;;! within_seconds = 30

(module
  (memory (export "memory") 1)
  (func (export "_start") (loop $forever (br $forever))))
