;;! about = "an exported mutable global"
;;! requires = ["mutable-global"]
;;!
;;! [expect]
;;! exit = 42

(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (global $g (export "g") (mut i32) (i32.const 40))
  (func (export "_start")
    (global.set $g (i32.add (global.get $g) (i32.const 2)))
    (call $proc_exit (global.get $g))))
