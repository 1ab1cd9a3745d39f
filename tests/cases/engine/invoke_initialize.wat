;;! about = "_initialize runs first, and only once"
;;!
;;! [spec.entry.invoke]
;;! name = "value"
;;!
;;! [expect]
;;! exit = 0
;;! results = [{ i32 = 42 }]

(module
  (global $n (mut i32) (i32.const 0))
  (func (export "_initialize") (global.set $n (i32.add (global.get $n) (i32.const 41))))
  (func (export "value") (result i32) (i32.add (global.get $n) (i32.const 1))))
