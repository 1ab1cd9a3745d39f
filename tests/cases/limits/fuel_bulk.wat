;;! about = "bulk operations cost by their length"
;;! rows = [12]
;;! requires = ["fuel", "bulk-memory"]
;;!
;;! [spec.limits]
;;! fuel = 10000000
;;! wall_time = "30s"
;;!
;;! [expect]
;;! limit = "fuel"

(module
  (memory (export "memory") 256)
  (func (export "_start")
    (loop $forever
      (memory.fill (i32.const 0) (i32.const 1) (i32.const 16777216))
      (br $forever))))
