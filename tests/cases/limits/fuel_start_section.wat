;;! about = "the start section is paid for as well"
;;! rows = [12]
;;! requires = ["fuel"]
;;!
;;! [spec.limits]
;;! fuel = 100000
;;!
;;! [expect]
;;! limit = "fuel"

(module
  (func $spin (loop $forever (br $forever)))
  (start $spin)
  (func (export "_start")))
