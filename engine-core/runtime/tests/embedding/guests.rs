//! Small guests.

fn guest(body: &str) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(module
            (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (memory (export "memory") 2)
            (data (i32.const 0) "\10\00\00\00\06\00\00\00")
            (data (i32.const 16) "hello\n")
            ;; hello on a descriptor
            (func $say (param $fd i32)
                (drop (call $write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8))))
            (func (export "_start") {body}))"#
    ))
    .unwrap()
}

pub(crate) const HELLO: &str = "hello\n";

/// Says hello.
pub(crate) fn hello() -> Vec<u8> {
    guest("(call $say (i32.const 1))")
}

/// Says hello and never ends.
pub(crate) fn endless() -> Vec<u8> {
    guest("(call $say (i32.const 1)) (loop (br 0))")
}

/// Exits with this code.
pub(crate) fn exits(code: u32) -> Vec<u8> {
    guest(&format!("(call $exit (i32.const {code}))"))
}

/// Writes what it reads, to standard output, as it comes; then hello to standard error.
pub(crate) fn echo() -> Vec<u8> {
    guest(
        "(block $end
            (loop $more
                (i32.store (i32.const 32) (i32.const 1024))
                (i32.store (i32.const 36) (i32.const 4096))
                (drop (call $read (i32.const 0) (i32.const 32) (i32.const 1) (i32.const 40)))
                (br_if $end (i32.eqz (i32.load (i32.const 40))))
                (i32.store (i32.const 36) (i32.load (i32.const 40)))
                (drop (call $write (i32.const 1) (i32.const 32) (i32.const 1) (i32.const 40)))
                (br $more)))
        (call $say (i32.const 2))",
    )
}

/// Waits for input, then ends.
pub(crate) fn waits() -> Vec<u8> {
    guest(
        "(i32.store (i32.const 32) (i32.const 1024))
         (i32.store (i32.const 36) (i32.const 1))
         (drop (call $read (i32.const 0) (i32.const 32) (i32.const 1) (i32.const 40)))",
    )
}

/// Writes this many KiB of zeros.
pub(crate) fn writes(kibibytes: u32) -> Vec<u8> {
    guest(&format!(
        "(local $left i32) (local.set $left (i32.const {kibibytes}))
         (i32.store (i32.const 32) (i32.const 2048))
         (i32.store (i32.const 36) (i32.const 1024))
         (loop $more
            (drop (call $write (i32.const 1) (i32.const 32) (i32.const 1) (i32.const 40)))
            (br_if $more (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))"
    ))
}
