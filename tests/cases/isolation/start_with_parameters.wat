;;! about = "a _start that takes parameters is none"
;;! rows = [22]
;;!
;;! [expect]
;;! error = "missing-export"
;;! mentions = ["_start"]

(module
  (memory (export "memory") 1)
  (func (export "_start") (param i32)))
