;;! about = "a guest's own trap is no lack of fuel"
;;! requires = ["fuel"]
;;!
;;! [spec.limits]
;;! fuel = 1000
;;!
;;! [expect]
;;! trap = "unreachable"

(module
  (func (export "_start") unreachable))
