;;! about = "a _start that is no function is none"
;;! rows = [22]
;;!
;;! [expect]
;;! error = "missing-export"
;;! mentions = ["_start"]

(module
  (memory (export "_start") 1))
