;;! about = "a module without _start says so"
;;! rows = [22]
;;!
;;! [expect]
;;! error = "missing-export"
;;! mentions = ["_start"]

(module
  (memory (export "memory") 1)
  (func (export "main")))
