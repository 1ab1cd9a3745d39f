;;! about = "an exception that nobody catches"
;;! requires = ["exceptions"]
;;!
;;! [expect]
;;! trap = "uncaught-exception"
;;! code = 134

(module
  (tag $oops (param i32))
  (func $thrower (throw $oops (i32.const 7)))
  (func (export "_start") (call $thrower)))
