;;! about = "an endless loop in the start section is ended at the deadline"
;;! rows = [12]
;;!
;;! [spec.limits]
;;! wall_time = "300ms"
;;!
;;! [expect]
;;! limit = "wall-time"
;;! code = 124

(module
  (memory (export "memory") 1)
  (func $spin (loop $forever (br $forever)))
  (start $spin)
  (func (export "_start")))
