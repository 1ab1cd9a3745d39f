;;! about = "one call deeper than the limit is a stack overflow"
;;! rows = [13]
;;! requires = ["call-depth"]
;;!
;;! [spec.limits]
;;! call_depth = 100
;;!
;;! [expect]
;;! trap = "stack-overflow"

(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (func $down (param $n i32)
    (if (local.get $n) (then (call $down (i32.sub (local.get $n) (i32.const 1))))))
  ;; _start, then $down of 99, 98, ... 0: 101 calls nested.
  (func (export "_start") (call $down (i32.const 99))))
