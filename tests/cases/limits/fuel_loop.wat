;;! about = "an endless loop runs out of fuel"
;;! rows = [12]
;;! requires = ["fuel"]
;;!
;;! [spec.limits]
;;! fuel = 1000000
;;!
;;! [expect]
;;! limit = "fuel"
;;! code = 152

(module
  (memory (export "memory") 1)
  (func (export "_start") (loop $forever (br $forever))))
