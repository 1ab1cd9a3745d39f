;;! about = "a 64-bit memory is under the same limit"
;;! rows = [10]
;;! requires = ["memory64"]
;;!
;;! [spec.limits]
;;! memory_bytes = "1MiB"
;;!
;;! [expect]
;;! exit = 16

(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory i64 1)
  (func (export "_start")
    (if (i64.ne (memory.grow (i64.const 0x1_0000_0000)) (i64.const -1)) (then (call $proc_exit (i32.const 101))))
    (if (i64.ne (memory.grow (i64.const 16)) (i64.const -1)) (then (call $proc_exit (i32.const 102))))
    (if (i64.ne (memory.grow (i64.const 15)) (i64.const 1)) (then (call $proc_exit (i32.const 103))))
    (call $proc_exit (i32.wrap_i64 (memory.size)))))
