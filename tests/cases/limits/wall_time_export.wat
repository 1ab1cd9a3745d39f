;;! about = "an endless loop in an invoked export is ended at the deadline"
;;! rows = [12]
;;!
;;! [spec.entry.invoke]
;;! name = "spin"
;;! args = ["1"]
;;!
;;! [spec.limits]
;;! wall_time = "300ms"
;;!
;;! [expect]
;;! limit = "wall-time"

(module
  (memory (export "memory") 1)
  (func (export "spin") (param i32) (result i32) (loop $forever (br $forever)) unreachable))
