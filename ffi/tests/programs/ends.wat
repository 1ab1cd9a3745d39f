(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 1024) "out\n")
  (func $divide (param i32) (result i32) (i32.div_s (i32.const 1) (local.get 0)))
  ;; What the first argument begins with says what to do: exit, trap, spin, echo.
  (func (export "_start") (local $first i32)
    (drop (call $args_get (i32.const 0) (i32.const 64)))
    (local.set $first (i32.load16_u (i32.load (i32.const 4))))
    (if (i32.eq (local.get $first) (i32.const 0x7865)) (then
      (i32.store (i32.const 512) (i32.const 1024))
      (i32.store (i32.const 516) (i32.const 4))
      (drop (call $fd_write (i32.const 1) (i32.const 512) (i32.const 1) (i32.const 520)))
      (call $proc_exit (i32.const 300))))
    (if (i32.eq (local.get $first) (i32.const 0x7274)) (then (drop (call $divide (i32.const 0)))))
    (if (i32.eq (local.get $first) (i32.const 0x7073)) (then (loop (br 0))))
    (if (i32.eq (local.get $first) (i32.const 0x6365)) (then
      (loop $again
        (i32.store (i32.const 512) (i32.const 2048))
        (i32.store (i32.const 516) (i32.const 4096))
        (drop (call $fd_read (i32.const 0) (i32.const 512) (i32.const 1) (i32.const 520)))
        (if (i32.load (i32.const 520)) (then
          (i32.store (i32.const 516) (i32.load (i32.const 520)))
          (drop (call $fd_write (i32.const 1) (i32.const 512) (i32.const 1) (i32.const 524)))
          (br $again)))))))
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))
