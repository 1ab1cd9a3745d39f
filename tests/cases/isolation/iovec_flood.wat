;;! about = "a million overlapping vectors: an error or a short write, never a host out of memory"
;;! rows = [8]
;;! varies = "how much of the flood is written before the host refuses is its own business"
;;!
;;! [spec.limits]
;;! wall_time = "60s"
;;!
;;! [spec.stdio]
;;! stderr = "null"
;;!
;;! [expect]
;;! exit = 0

(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 200)
  (func (export "_start") (local $n i32)
    ;; One million vectors, each over the same 4 MiB.
    (loop $again
      (i32.store (i32.mul (local.get $n) (i32.const 8)) (i32.const 8000000))
      (i32.store offset=4 (i32.mul (local.get $n) (i32.const 8)) (i32.const 4194304))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $n) (i32.const 999000))))
    (drop (call $fd_write (i32.const 2) (i32.const 0) (i32.const 999000) (i32.const 12500000)))))
