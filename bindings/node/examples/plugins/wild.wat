;; A plug-in that claims to have written where it has no memory.
(module
  (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "transform") (param i32 i32) (result i32 i32) (i32.const 65530) (i32.const 100)))
