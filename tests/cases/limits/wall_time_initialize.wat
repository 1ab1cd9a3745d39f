;;! about = "an endless loop in _initialize is ended at the deadline"
;;! rows = [12]
;;!
;;! [spec.entry.invoke]
;;! name = "late"
;;!
;;! [spec.limits]
;;! wall_time = "300ms"
;;!
;;! [expect]
;;! limit = "wall-time"

(module
  (memory (export "memory") 1)
  (func (export "_initialize") (loop $forever (br $forever)))
  (func (export "late") (result i32) (i32.const 1)))
