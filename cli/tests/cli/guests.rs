//! The guests, in the text format. Each does one thing.

/// Writes a line to stdout.
pub(crate) const HELLO: &str = r#"(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\08\00\00\00\06\00\00\00hello\n")
  (func (export "_start") (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))))"#;

/// Writes a line to stderr.
pub(crate) const COMPLAIN: &str = r#"(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\08\00\00\00\05\00\00\00oops\n")
  (func (export "_start") (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 16)))))"#;

/// Writes its arguments, each followed by a NUL.
pub(crate) const ARGUMENTS: &str = r#"(module
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (drop (call $sizes (i32.const 0) (i32.const 4)))
    (drop (call $get (i32.const 1024) (i32.const 8192)))
    (i32.store (i32.const 16) (i32.const 8192))
    (i32.store (i32.const 20) (i32.load (i32.const 4)))
    (drop (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 8)))))"#;

/// Writes its environment, each variable followed by a NUL.
pub(crate) const ENVIRONMENT: &str = r#"(module
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (drop (call $sizes (i32.const 0) (i32.const 4)))
    (drop (call $get (i32.const 1024) (i32.const 8192)))
    (i32.store (i32.const 16) (i32.const 8192))
    (i32.store (i32.const 20) (i32.load (i32.const 4)))
    (drop (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 8)))))"#;

/// Copies stdin to stdout, until its end.
pub(crate) const CAT: &str = r#"(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (i32.store (i32.const 0) (i32.const 1024))
    (loop $more
      (i32.store (i32.const 4) (i32.const 4096))
      (if (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)) (then return))
      (if (i32.eqz (i32.load (i32.const 8))) (then return))
      (i32.store (i32.const 4) (i32.load (i32.const 8)))
      (if (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 12)) (then return))
      (br $more))))"#;

/// Counts to a thousand.
pub(crate) const COUNTS: &str = r#"(module
  (func (export "_start") (local $n i32)
    (loop $again
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $n) (i32.const 1000))))))"#;

/// Writes a line, then runs until it is ended.
pub(crate) const SPIN: &str = r#"(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\08\00\00\00\06\00\00\00ready\n")
  (func (export "_start")
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))
    (loop $forever (br $forever))))"#;

/// Writes lines until it may not any more.
pub(crate) const FLOOD: &str = r#"(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\08\00\00\00\06\00\00\00flood\n")
  (func (export "_start")
    (loop $more (br_if $more (i32.eqz (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))))))"#;

/// Creates `made` in its first preopen, writes 6 bytes to it, and exits with the first error number, or 0.
pub(crate) const MAKE_FILE: &str = r#"(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\08\00\00\00\06\00\00\00hello\n")
  (data (i32.const 64) "made")
  (func (export "_start")
    (local $error i32)
    (local.set $error (call $open (i32.const 3) (i32.const 0) (i32.const 64) (i32.const 4)
      (i32.const 1) (i64.const 64) (i64.const 64) (i32.const 0) (i32.const 32)))
    (if (i32.eqz (local.get $error)) (then
      (local.set $error (call $write (i32.load (i32.const 32)) (i32.const 0) (i32.const 1) (i32.const 16)))))
    (call $exit (local.get $error))))"#;

/// Writes the file type of its three standard streams, as digits: 2 is a character device.
pub(crate) const STREAM_TYPES: &str = r#"(module
  (import "wasi_snapshot_preview1" "fd_fdstat_get" (func $stat (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\08\00\00\00\04\00\00\00---\n")
  (func $type (param $fd i32)
    (drop (call $stat (local.get $fd) (i32.const 64)))
    (i32.store8 (i32.add (i32.const 8) (local.get $fd)) (i32.add (i32.const 48) (i32.load8_u (i32.const 64)))))
  (func (export "_start")
    (call $type (i32.const 0)) (call $type (i32.const 1)) (call $type (i32.const 2))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))))"#;

/// Writes the time that it sees, and 8 random bytes.
pub(crate) const WORLD: &str = r#"(module
  (import "wasi_snapshot_preview1" "clock_time_get" (func $time (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\40\00\00\00\10\00\00\00")
  (func (export "_start")
    (drop (call $time (i32.const 0) (i64.const 1) (i32.const 64)))
    (drop (call $random (i32.const 72) (i32.const 8)))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))))"#;

/// Exports functions to call.
pub(crate) const FUNCTIONS: &str = r#"(module
  (memory (export "memory") 1)
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "swap") (param i32 i64) (result i64 i32) (local.get 1) (local.get 0))
  (func (export "half") (param f64) (result f64) (f64.div (local.get 0) (f64.const 2)))
  (func (export "third") (param f32) (result f32) (f32.div (local.get 0) (f32.const 3)))
  (func (export "nothing"))
  (func (export "divide") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1))))"#;

/// Fails two calls deep.
pub(crate) const TRAP: &str = r#"(module
  (memory (export "memory") 1)
  (func $inner unreachable)
  (func $outer (call $inner))
  (func (export "_start") (call $outer)))"#;

/// Exits with this code.
pub(crate) fn exit(code: u32) -> String {
    format!(
        r#"(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start") (call $exit (i32.const {}))))"#,
        code.cast_signed()
    )
}

/// Many functions with loops in them: WasmEdge's optimising compiler takes long for it, its interpreter and other engines do not.
pub(crate) fn slow_to_compile() -> String {
    let function = |index: u32| {
        let step = format!(
            "(local.set 0 (i64.mul (i64.xor (local.get 0) (i64.shr_u (local.get 0) (i64.const {}))) (i64.const {})))",
            index % 60 + 1,
            u64::from(index) * 2_654_435_761 + 1
        );
        format!(
            "(func (param i64) (result i64) (loop $l {} (br_if $l (i64.gt_u (local.get 0) (i64.const {index})))) (local.get 0))",
            step.repeat(20)
        )
    };
    let functions: String = (0..3000).map(function).collect();
    format!("(module (memory (export \"memory\") 1) {functions} (func (export \"_start\")))")
}

/// Opens the directory that it was given, over and over, and exits with how often that went well.
pub(crate) const OPENS: &str = r#"(module
  (import "wasi_snapshot_preview1" "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) ".")
  (func (export "_start") (local $count i32)
    (loop $again
      (if (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 2) (i64.const 0) (i64.const 0) (i32.const 0)
          (i32.const 16))
        (then (call $exit (local.get $count))))
      (local.set $count (i32.add (local.get $count) (i32.const 1)))
      (br $again))))"#;

/// Greets the first that connects to the listener at descriptor 3.
pub(crate) const GREET: &str = r#"(module
  (import "wasi_snapshot_preview1" "sock_accept" (func $accept (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\08\00\00\00\06\00\00\00hello\n")
  (func (export "_start")
    (if (call $accept (i32.const 3) (i32.const 0) (i32.const 16)) (then unreachable))
    (if (call $write (i32.load (i32.const 16)) (i32.const 0) (i32.const 1) (i32.const 20)) (then unreachable))))"#;

/// Connects to 127.0.0.1:9 and exits with the error number.
pub(crate) const CONNECT: &str = r#"(module
  (import "wasi_snapshot_preview1" "sock_open" (func $open (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_connect" (func $connect (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "\20\00\00\00\04\00\00\00")
  (data (i32.const 32) "\7f\00\00\01")
  (func (export "_start")
    (if (call $open (i32.const 1) (i32.const 2) (i32.const 64)) (then unreachable))
    (call $exit (call $connect (i32.load (i32.const 64)) (i32.const 16) (i32.const 9)))))"#;
