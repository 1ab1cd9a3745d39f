;;! about = "128-bit vectors"
;;! requires = ["simd"]
;;!
;;! [expect]
;;! exit = 42

(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (func (export "_start")
    (call $proc_exit (i32x4.extract_lane 2
      (i32x4.add (v128.const i32x4 1 2 40 4) (i32x4.splat (i32.const 2)))))))
