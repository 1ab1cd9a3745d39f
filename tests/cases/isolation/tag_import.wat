;;! about = "an imported tag is listed like everything that nobody offers"
;;! rows = [22]
;;! requires = ["exceptions"]
;;!
;;! [expect]
;;! error = "missing-imports"
;;! mentions = ["oops"]

(module
  (import "env" "oops" (tag (param i32)))
  (func (export "_start")))
