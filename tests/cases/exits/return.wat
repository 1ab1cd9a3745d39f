;;! about = "returning from _start is exit 0"
;;!
;;! [expect]
;;! exit = 0
;;! code = 0
;;! stdout = ""
;;! stderr = ""

(module
  (memory (export "memory") 1)
  (func (export "_start")))
