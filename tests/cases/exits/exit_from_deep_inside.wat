;;! about = "proc_exit unwinds any number of frames"
;;!
;;! [expect]
;;! exit = 3

(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (func $down (param $n i32)
    (if (i32.eqz (local.get $n)) (then (call $proc_exit (i32.const 3))))
    (call $down (i32.sub (local.get $n) (i32.const 1)))
    unreachable)
  (func (export "_start") (call $down (i32.const 500))))
