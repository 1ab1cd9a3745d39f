;;! about = "an active element segment beyond its table traps while instantiating"
;;!
;;! [expect]
;;! trap = "table-out-of-bounds"
;;! code = 134

(module
  (table 1 funcref)
  (elem (i32.const 1) $f)
  (func $f (export "_start")))
