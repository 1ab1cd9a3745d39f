;;! about = "a module without _start says so"
;;! rows = [22]
;;!
;;! [expect]
;;! error = "invalid-input"
;;! mentions = ["_start"]

(module
  (memory (export "memory") 1)
  (func (export "main")))
