;;! about = "processor time spent in the engine counts too"
;;! rows = [12]
;;!
;;! [spec.limits]
;;! cpu_time = "300ms"
;;!
;;! [expect]
;;! limit = "cpu-time"

(module
  (memory (export "memory") 0)
  (func (export "_start")
    (loop $forever
      (drop (memory.grow (i32.const 0)))
      (br $forever))))
