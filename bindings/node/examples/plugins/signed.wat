;; A plug-in that signs text with what the host keeps for it under the name "signature".
(module
  (import "host" "setting" (func $setting (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "signature")
  (global $heap (mut i32) (i32.const 1024))
  (func (export "alloc") (param $size i32) (result i32)
    (global.get $heap)
    (global.set $heap (i32.add (i32.add (global.get $heap) (local.get $size)) (i32.const 64))))
  (func (export "transform") (param $at i32) (param $length i32) (result i32 i32)
    (local.get $at)
    (i32.add (local.get $length)
      (call $setting (i32.const 0) (i32.const 9) (i32.add (local.get $at) (local.get $length)) (i32.const 64)))))
