//! What an instance may take: memories, tables and the heap of objects, and how much of it is reported.

use super::*;
use wasmrt_model::LimitKind;

fn grow(guest: &mut dyn WasmInstance, pages: i32) -> Value {
    guest.call("grow", &[Value::I32(pages)]).unwrap()[0]
}

#[test]
fn the_second_wall_holds_where_the_module_itself_would_allow_more() {
    let mut module = load(
        r#"(module (memory 1 9) (table 1 funcref)
        (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
        (func (export "table") (param i32) (result i32) (table.grow (ref.null func) (local.get 0))))"#,
    );
    let mut limited = info(&[(1, Some(3))]);
    limited.tables = vec![wasmrt_model::module::Size { minimum: 1, maximum: Some(10) }];
    assert!(module.limit_gc_heap(0));
    let mut guest = module.instantiate(&limited, &[], no_host()).unwrap();
    assert_eq!(grow(&mut *guest, 3), Value::I32(-1));
    assert_eq!(grow(&mut *guest, 2), Value::I32(1));
    assert_eq!(guest.call("table", &[Value::I32(10)]).unwrap(), [Value::I32(-1)]);
    assert_eq!(guest.call("table", &[Value::I32(9)]).unwrap(), [Value::I32(1)]);
    assert_eq!(guest.call("table", &[Value::I32(1)]).unwrap(), [Value::I32(-1)]);
}

#[test]
fn more_memories_or_tables_than_the_guard_saw_are_refused() {
    let two = load("(module (memory 1 1) (memory 1 1) (table 1 1 funcref) (table 1 1 funcref))");
    assert!(two.instantiate(&info(&[(1, Some(1)), (1, Some(1))]), &[], no_host()).is_ok());
    assert!(matches!(two.instantiate(&info(&[(1, Some(1))]), &[], no_host()), Err(Ending::Failed(_))));
    let mut one_table = info(&[(1, Some(1)), (1, Some(1))]);
    one_table.tables.truncate(1);
    assert!(matches!(two.instantiate(&one_table, &[], no_host()), Err(Ending::Failed(_))));
}

#[test]
fn memories_that_are_not_exported_count_too() {
    let module = load(
        r#"(module (memory $a 1 9) (memory $b (export "memory") 2 9) (memory $c i64 3 9)
        (func (export "grow") (param i32) (result i32)
          (drop (memory.grow $c (i64.const 2))) (memory.grow $a (local.get 0))))"#,
    );
    let mut guest = module.instantiate(&info(&[(1, Some(9)), (2, Some(9)), (3, Some(9))]), &[], no_host()).unwrap();
    assert_eq!(guest.memory_pages(), 6);
    assert_eq!(grow(&mut *guest, 4), Value::I32(1));
    assert_eq!(guest.memory_pages(), 12);
}

#[test]
fn growth_that_the_machine_refuses_is_not_counted() {
    let module = load(
        r#"(module (memory i64 1)
        (func (export "grow") (param i64) (result i64) (memory.grow (local.get 0))))"#,
    );
    let mut guest = module.instantiate(&info(&[(1, None)]), &[], no_host()).unwrap();
    let mut grow = |pages: i64| guest.call("grow", &[Value::I64(pages)]).unwrap()[0];
    assert_eq!(grow(1), Value::I64(1));
    // 128 TiB: more than a process can address.
    assert_eq!(grow(1 << 31), Value::I64(-1));
    assert_eq!(grow(i64::MAX), Value::I64(-1));
    assert_eq!(grow(1), Value::I64(2));
    assert_eq!(guest.memory_pages(), 3);
}

/// Keeps a list of `n` objects of some 64 bytes alive, or lets each go at once.
const OBJECTS: &str = r#"(module
    (type $node (struct (field (ref null $node)) (field i64) (field i64) (field i64) (field i64) (field i64)))
    (memory 1 4)
    (func (export "keep") (param $n i32) (local $list (ref null $node))
      (loop $next
        (local.set $list (struct.new $node (local.get $list) (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4) (i64.const 5)))
        (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
    (func (export "cycles") (param $n i32) (local $node (ref null $node))
      (loop $next
        (local.set $node (struct.new $loop (ref.null $loop) (i64.const 1)))
        (struct.set $loop 0 (ref.cast (ref $loop) (local.get $node)) (ref.cast (ref $loop) (local.get $node)))
        (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
    (func (export "array") (param $n i32) (drop (array.new_default $bytes (local.get $n))))
    (func (export "copied") (param $n i32) (drop (array.new_data $bytes $data (i32.const 0) (local.get $n))))
    (func (export "boxed") (param $n i32)
      (block $caught (loop $next
        (block $again (result exnref) (try_table (catch_all_ref $again) (throw $oops (local.get $n))) (br $caught))
        drop (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))
    (type $bytes (array (mut i8))) (data $data "0123456789") (tag $oops (param i32))
    (func (export "fine") (result i32) (i32.const 1)))"#;

fn objects() -> String {
    OBJECTS
        .replace("(memory 1 4)", "(type $loop (struct (field (mut (ref null $loop))) (field i64))) (memory 1 4)")
        .replace("(local $node (ref null $node))", "(local $node (ref null $loop))")
}

#[test]
fn the_heap_of_objects_is_bounded_and_ends_the_guest() {
    let mut module = load(&objects());
    assert!(module.limit_gc_heap(4 << 20));
    let mut guest = module.instantiate(&info(&[(1, Some(4))]), &[], no_host()).unwrap();
    assert!(guest.call("keep", &[Value::I32(10_000)]).is_ok());
    let ended = guest.call("keep", &[Value::I32(1_000_000)]);
    assert!(matches!(ended, Err(Ending::Limit(LimitKind::Memory))), "{ended:?}");
    assert_eq!(guest.call("fine", &[]).unwrap(), [Value::I32(1)]);
    assert_eq!(guest.memory_pages(), 1, "the heap is no linear memory");
}

#[test]
fn one_object_above_the_bound_ends_the_guest_and_garbage_does_not() {
    let mut module = load(&objects());
    assert!(module.limit_gc_heap(4 << 20));
    let mut guest = module.instantiate(&info(&[(1, Some(4))]), &[], no_host()).unwrap();
    let ended = guest.call("array", &[Value::I32(100 << 20)]);
    assert!(matches!(ended, Err(Ending::Limit(LimitKind::Memory))), "{ended:?}");
    assert!(guest.call("array", &[Value::I32(100 << 10)]).is_ok());
    assert!(guest.call("copied", &[Value::I32(10)]).is_ok());
    let ended = guest.call("boxed", &[Value::I32(300_000)]);
    assert!(ended.is_ok(), "caught exceptions are garbage: {ended:?}");
}

#[test]
fn a_larger_bound_holds_more_objects() {
    let keep = |bytes: u64| {
        let mut module = load(&objects());
        assert!(module.limit_gc_heap(bytes));
        let mut guest = module.instantiate(&info(&[(1, Some(4))]), &[], no_host()).unwrap();
        guest.call("keep", &[Value::I32(200_000)])
    };
    assert!(matches!(keep(8 << 20), Err(Ending::Limit(LimitKind::Memory))));
    assert!(keep(64 << 20).is_ok());
}

#[test]
fn garbage_is_collected_even_when_it_is_cyclic() {
    let mut module = load(&objects());
    assert!(module.limit_gc_heap(1 << 20));
    let mut guest = module.instantiate(&info(&[(1, Some(4))]), &[], no_host()).unwrap();
    let ended = guest.call("cycles", &[Value::I32(1_000_000)]);
    assert!(ended.is_ok(), "{ended:?}");
}
