;;! about = "processor time spent in host calls counts too"
;;! rows = [12]
;;!
;;! [spec.limits]
;;! cpu_time = "300ms"
;;!
;;! [expect]
;;! limit = "cpu-time"

(module
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (loop $forever
      (drop (call $clock (i32.const 0) (i64.const 1) (i32.const 0)))
      (br $forever))))
