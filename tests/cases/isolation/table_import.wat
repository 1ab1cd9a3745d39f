;;! about = "an imported table is listed like everything that nobody offers"
;;! rows = [22]
;;!
;;! [expect]
;;! error = "missing-imports"
;;! mentions = ["things"]

(module
  (import "env" "things" (table 1 funcref))
  (func (export "_start")))
