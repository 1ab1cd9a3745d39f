//! Memories: what the host is lent, how they grow, how they are counted.

use crate::hosts::Log;
use crate::{Subject, i32s};

pub(crate) fn the_host_reads_and_writes_memory_of_its_present_size(subject: &Subject) {
    let text = r#"(module (import "" "touch" (func $touch (param i32))) (memory (export "memory") 1 20)
        (func (export "run") (param i32) (result i32 i32)
          (i32.store8 (local.get 0) (i32.const 7))
          (call $touch (local.get 0))
          (drop (memory.grow (i32.const 9)))
          (i32.store8 (i32.const 655359) (i32.const 9))
          (call $touch (i32.const 655359))
          (i32.load8_u (i32.const 0)) (i32.load8_u (i32.const 655359))))"#;
    for way in subject.ways() {
        let log = Log::default();
        let host = log.host(|_, memory, args, _| {
            memory[0] += memory[memory.len() - 1];
            memory[usize::try_from(args[0]).unwrap()] += 1;
            Ok(())
        });
        let result = subject.start(text, way, host).unwrap().call("run", &i32s(&[65535]));
        assert_eq!(result.unwrap(), i32s(&[16, 10]), "{way}");
        let sizes: Vec<_> = log.calls().iter().map(|call| call.memory).collect();
        assert_eq!(sizes, [65536, 655_360], "{way}");
    }
}

pub(crate) fn only_the_export_named_memory_is_shown(subject: &Subject) {
    for (memory, expected) in [
        ("(memory 1)", 0),
        (r#"(memory (export "other") 1)"#, 0),
        (r#"(memory (export "memory") 0)"#, 0),
        (r#"(memory 1) (memory (export "memory") 2)"#, 131_072),
        (r#"(memory (export "memory") 65536)"#, 1 << 32),
        (r#"(func (export "memory"))"#, 0),
        ("", 0),
    ] {
        let text = format!(r#"(module (import "m" "f" (func $f)) {memory} (func (export "run") (call $f)))"#);
        for way in subject.ways() {
            let log = Log::default();
            subject.start(&text, way, log.host(|_, _, _, _| Ok(()))).unwrap().call("run", &[]).unwrap();
            assert_eq!(log.calls()[0].memory, expected, "{way}: {memory}");
        }
    }
}

pub(crate) fn all_memories_count_exported_or_not(subject: &Subject) {
    let text = r#"(module (memory $a 1 9) (memory $b (export "memory") 2 3) (memory $c 3 10)
        (func (export "grow") (param i32) (result i32)
          (drop (memory.grow $b (local.get 0))) (memory.grow $a (local.get 0)))
        (func (export "other") (result i32) (memory.grow $c (i32.const 5))))"#;
    for way in subject.ways() {
        let mut guest = subject.guest(text, way);
        assert_eq!(guest.memory_pages(), 6, "{way}");
        for (pages, expected, after) in [(1, 1, 8), (4, 2, 12), (4, -1, 12)] {
            // The second is full after one page; the first is not.
            assert_eq!(guest.call("grow", &i32s(&[pages])).unwrap(), i32s(&[expected]), "{way}");
            assert_eq!(guest.memory_pages(), after, "{way}");
        }
        assert_eq!(guest.call("other", &[]).unwrap(), i32s(&[3]), "{way}");
        assert_eq!(guest.memory_pages(), 17, "{way}");
        assert_eq!(subject.guest("(module)", way).memory_pages(), 0, "{way}");
    }
}

pub(crate) fn growth_up_to_the_maximum_and_not_beyond_is_counted(subject: &Subject) {
    let text = r#"(module (memory (export "memory") 1 3)
        (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))"#;
    for way in subject.ways() {
        let mut guest = subject.guest(text, way);
        assert_eq!(guest.memory_pages(), 1, "{way}");
        for (by, expected, after) in [
            (1, 1, 2),
            (2, -1, 2),
            (100, -1, 2),
            (65535, -1, 2),
            (65536, -1, 2),
            (i32::MAX, -1, 2),
            (-1, -1, 2),
            (1, 2, 3),
            (1, -1, 3),
            (0, 3, 3),
        ] {
            assert_eq!(guest.call("grow", &i32s(&[by])).unwrap(), i32s(&[expected]), "{way}: {by}");
            assert_eq!(guest.memory_pages(), after, "{way}: {by}");
        }
        let mut guest = subject.guest(text, way);
        assert_eq!(guest.call("grow", &i32s(&[2])).unwrap(), i32s(&[1]), "{way}");
        assert_eq!(guest.call("grow", &i32s(&[1])).unwrap(), i32s(&[-1]), "{way}");
    }
}

pub(crate) fn a_guest_gets_the_whole_address_space_when_its_module_says_so(subject: &Subject) {
    let text = r#"(module (memory (export "memory") 65536)
        (func (export "touch") (result i32) (i32.store (i32.const -4) (i32.const 7)) (i32.load (i32.const -4))))"#;
    for way in subject.ways() {
        let mut guest = subject.guest(text, way);
        assert_eq!(guest.memory_pages(), 65536, "{way}");
        assert_eq!(guest.call("touch", &[]).unwrap(), i32s(&[7]), "{way}");
    }
}

/// So it is with a start section that is a function of the host, which metering makes an export.
pub(crate) fn an_import_that_is_exported_again_sees_the_memory(subject: &Subject) {
    let text = r#"(module (import "m" "f" (func $f (result i32))) (memory (export "memory") 1) (export "f" (func $f))
        (func (export "run") (result i32) (call $f)))"#;
    for way in subject.ways() {
        let host = Log::default().host(|_, memory, _, results| {
            results[0] = u64::try_from(memory.len()).unwrap();
            Ok(())
        });
        let mut guest = subject.start(text, way, host).unwrap();
        for export in ["f", "run", "f"] {
            assert_eq!(guest.call(export, &[]).unwrap(), i32s(&[65536]), "{way} {export}");
        }
    }
}
