;;! about = "a trap in the start section"
;;!
;;! [expect]
;;! trap = "unreachable"
;;! code = 134

(module
  (func $boom unreachable)
  (start $boom)
  (func (export "_start")))
