;;! about = "an active data segment beyond memory traps while instantiating"
;;!
;;! [expect]
;;! trap = "memory-out-of-bounds"
;;! code = 134

(module
  (memory (export "memory") 1)
  (data (i32.const 65535) "too long")
  (func (export "_start")))
