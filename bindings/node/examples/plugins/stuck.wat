;; A plug-in that never comes to an end.
(module
  (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "transform") (param i32 i32) (result i32 i32) (loop (br 0)) (unreachable)))
