;;! about = "128-bit products"
;;! requires = ["wide-arithmetic"]
;;!
;;! [expect]
;;! exit = 42

(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (func (export "_start") (local $high i64)
    (i64.mul_wide_u (i64.const 0x8000000000000000) (i64.const 84))
    (local.set $high)
    (drop)
    (call $proc_exit (i32.wrap_i64 (local.get $high)))))
