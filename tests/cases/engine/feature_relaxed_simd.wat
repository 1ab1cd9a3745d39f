;;! about = "relaxed vector instructions, on operands whose result is not left to the machine"
;;! requires = ["relaxed-simd"]
;;!
;;! [expect]
;;! exit = 42

(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (func (export "_start")
    (call $proc_exit (i32x4.extract_lane 0
      (i32x4.relaxed_trunc_f32x4_s (v128.const f32x4 42.5 0 0 0))))))
