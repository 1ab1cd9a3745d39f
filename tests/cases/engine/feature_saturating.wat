;;! about = "conversions that saturate"
;;! requires = ["saturating-float-to-int"]
;;!
;;! [expect]
;;! exit = 42

(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (func (export "_start")
    (if (i32.ne (i32.trunc_sat_f64_s (f64.const 1e300)) (i32.const 2147483647)) (then unreachable))
    (if (i32.ne (i32.trunc_sat_f32_u (f32.const nan)) (i32.const 0)) (then unreachable))
    (call $proc_exit (i32.trunc_sat_f64_u (f64.const 42.9)))))
