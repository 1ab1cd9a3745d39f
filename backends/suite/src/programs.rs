//! For each feature, guests that use it, and guests that cannot do without it.

use wasmrt_model::Feature;

/// Modules whose `run` returns 42 when the feature works, and which need no other feature than those that every engine has in every tier.
pub(crate) fn programs(feature: Feature) -> &'static [&'static str] {
    match feature {
        Feature::MutableGlobal => &[
            r#"(module (global $g (export "g") (mut i32) (i32.const 1))
            (func (export "run") (result i32) (global.set $g (i32.const 42)) (global.get $g)))"#,
            r#"(module (global $g (export "g") (mut i32) (i32.const 41))
                (func (export "run") (result i32) (global.set $g (i32.add (global.get $g) (i32.const 1))) (global.get $g)))"#,
        ],
        Feature::SaturatingFloatToInt => &[
            r#"(module (func (export "run") (result i32)
            (i32.add (i32.trunc_sat_f32_u (f32.const -5)) (i32.add (i32.trunc_sat_f64_s (f64.const nan))
            (i32.sub (i32.trunc_sat_f64_s (f64.const 1e300)) (i32.const 0x7fffffd5))))))"#,
            r#"(module (func (export "run") (result i32) (i32.add (i32.trunc_sat_f64_u (f64.const -1e30)) (i32.const 42))))"#,
            r#"(module (func (export "run") (result i32)
                (i32.add (i32.add (i32.trunc_sat_f64_u (f64.const -1e30)) (i32.trunc_sat_f32_s (f32.const nan)))
                  (i32.sub (i32.trunc_sat_f64_s (f64.const 1e30)) (i32.const 0x7fffffd5)))))"#,
        ],
        Feature::SignExtension => &[
            r#"(module (func (export "run") (result i32)
            (i32.add (i32.extend8_s (i32.const 0x1ff)) (i32.add (i32.extend16_s (i32.const 0x1fffe)) (i32.const 45)))))"#,
            r#"(module (func (export "run") (result i32) (i32.add (i32.extend8_s (i32.const 0xff)) (i32.const 43))))"#,
        ],
        Feature::MultiValue => &[
            r#"(module (func $two (result i32 i32) (i32.const 40) (i32.const 2))
            (func (export "run") (result i32) (call $two)
                (block (param i32 i32) (result i32) (i32.add))))"#,
            r#"(module (func $two (result i32 i32) (i32.const 40) (i32.const 2)) (func (export "run") (result i32) (i32.add (call $two))))"#,
        ],
        Feature::BulkMemory => &[
            r#"(module (memory 1) (data $d "\00\2a\00")
            (func (export "run") (result i32)
                (memory.init $d (i32.const 10) (i32.const 0) (i32.const 3)) (data.drop $d)
                (memory.copy (i32.const 100) (i32.const 11) (i32.const 1))
                (memory.fill (i32.const 101) (i32.const 0) (i32.const 3))
                (i32.load (i32.const 100))))"#,
            r#"(module (memory 1) (data $d "\2a") (func (export "run") (result i32)
                (memory.init $d (i32.const 1) (i32.const 0) (i32.const 1)) (memory.copy (i32.const 9) (i32.const 1) (i32.const 1))
                (i32.load8_u (i32.const 9))))"#,
            r#"(module (memory 1) (data $d "\2a") (table 4 funcref) (elem $e func $f) (func $f)
                (func (export "run") (result i32)
                (memory.init $d (i32.const 1) (i32.const 0) (i32.const 1)) (data.drop $d)
                (memory.copy (i32.const 9) (i32.const 1) (i32.const 1)) (memory.fill (i32.const 1) (i32.const 7) (i32.const 4))
                (table.init $e (i32.const 0) (i32.const 0) (i32.const 1)) (elem.drop $e)
                (table.copy (i32.const 1) (i32.const 0) (i32.const 1)) (call_indirect (i32.const 1))
                (i32.load8_u (i32.const 9))))"#,
        ],
        Feature::ReferenceTypes => &[
            r#"(module (table $a 1 10 funcref) (table $b 1 10 externref) (elem declare func $f)
                (type $t (func (result i32))) (func $f (result i32) (i32.const 41))
                (func (export "run") (result i32)
                    (drop (table.grow $a (ref.func $f) (i32.const 3)))
                    (table.fill $a (i32.const 0) (table.get $a (i32.const 3)) (i32.const 1))
                    (i32.add (ref.is_null (table.get $b (i32.const 0)))
                        (call_indirect $a (type $t) (i32.const 0)))))"#,
            r#"(module (table $a 1 funcref) (table $b 2 funcref) (func $f (result i32) (i32.const 42)) (elem declare func $f)
                (func (export "run") (result i32) (table.set $b (i32.const 1) (ref.func $f)) (call_indirect $b (result i32) (i32.const 1))))"#,
            r#"(module (table $a 1 externref) (table $b 2 8 funcref) (func $f (result i32) (i32.const 39)) (elem declare func $f)
                (func (export "run") (result i32) (local $e externref)
                  (table.set $b (i32.const 1) (ref.func $f))
                  (drop (table.grow $b (select (result funcref) (ref.func $f) (ref.null func) (i32.const 1)) (i32.const 3)))
                  (table.fill $b (i32.const 0) (table.get $b (i32.const 4)) (i32.const 1))
                  (table.set $a (i32.const 0) (local.get $e))
                  (i32.add (call_indirect $b (result i32) (i32.const 0))
            (i32.add (ref.is_null (table.get $a (i32.const 0)))
              (i32.sub (table.size $b) (i32.const 3))))))"#,
        ],
        Feature::Simd => &[
            r#"(module (func (export "run") (result i32)
            (i32x4.extract_lane 2 (i32x4.add (v128.const i32x4 1 2 40 4) (i32x4.splat (i32.const 2))))))"#,
            r#"(module (memory 1) (func (export "run") (result i32)
            (v128.store (i32.const 16) (i8x16.shuffle 1 0 3 2 5 4 7 6 9 8 11 10 13 12 15 14
                (v128.const i8x16 0 42 0 0 0 0 0 0 0 0 0 0 0 0 0 0) (v128.const i64x2 0 0)))
            (i32.load8_u (i32.const 16))))"#,
            r#"(module (func (export "run") (result i32)
                (i32x4.extract_lane 2 (i32x4.add (v128.const i32x4 0 0 40 0) (v128.const i32x4 0 0 2 0)))))"#,
        ],
        Feature::RelaxedSimd => &[
            r#"(module (func (export "run") (result i32)
            (i32.trunc_f32_s (f32x4.extract_lane 1 (f32x4.relaxed_madd
                (v128.const f32x4 1 8 1 1) (v128.const f32x4 1 5 1 1) (v128.const f32x4 1 2 1 1))))))"#,
            r#"(module (func (export "run") (result i32)
            (i32x4.extract_lane 0 (i32x4.relaxed_dot_i8x16_i7x16_add_s
                (i8x16.splat (i32.const 2)) (i8x16.splat (i32.const 5)) (v128.const i32x4 2 0 0 0)))))"#,
        ],
        Feature::Threads => &[
            r#"(module (memory 1 1)
            (func (export "run") (result i32)
                (drop (i32.atomic.rmw.add (i32.const 8) (i32.const 40)))
                (drop (i32.atomic.rmw.cmpxchg (i32.const 8) (i32.const 40) (i32.const 41)))
                (atomic.fence)
                (drop (i64.atomic.rmw8.add_u (i32.const 8) (i64.const 1)))
                (i32.add (memory.atomic.notify (i32.const 8) (i32.const 1)) (i32.atomic.load (i32.const 8)))))"#,
            r#"(module (memory 1) (func (export "run") (result i32) (drop (i32.atomic.rmw.add (i32.const 8) (i32.const 42)))
                (i32.add (i32.atomic.load (i32.const 8)) (memory.atomic.notify (i32.const 8) (i32.const 1)))))"#,
            r#"(module (memory 1) (func (export "run") (result i32) (drop (i32.atomic.rmw.add (i32.const 8) (i32.const 40)))
                (drop (i64.atomic.rmw16.cmpxchg_u (i32.const 8) (i64.const 40) (i64.const 42))) atomic.fence
                (i32.add (i32.atomic.load (i32.const 8)) (memory.atomic.notify (i32.const 8) (i32.const 1)))))"#,
        ],
        Feature::TailCall => &[
            r#"(module (func $down (param i32 i32) (result i32)
                (if (local.get 0) (then (return_call $down (i32.sub (local.get 0) (i32.const 1)) (local.get 1))))
                (local.get 1))
            (func (export "run") (result i32) (call $down (i32.const 3000000) (i32.const 42))))"#,
            r#"(module (type $t (func (param i32 i32) (result i32))) (table funcref (elem $down))
            (func $down (type $t)
                (if (local.get 0) (then (return_call_indirect (type $t)
                    (i32.sub (local.get 0) (i32.const 1)) (local.get 1) (i32.const 0))))
                (local.get 1))
            (func (export "run") (result i32) (call $down (i32.const 3000000) (i32.const 42))))"#,
            r#"(module (func $count (param i32) (result i32)
                (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 42)) (else (return_call $count (i32.sub (local.get 0) (i32.const 1))))))
                (func (export "run") (result i32) (call $count (i32.const 5000000))))"#,
        ],
        Feature::ExtendedConst => &[
            r#"(module (global $g i32 (i32.add (i32.const 6) (i32.mul (i32.const 6) (i32.const 6))))
            (memory 1) (data (i32.sub (i32.const 10) (i32.const 9)) "\00")
            (func (export "run") (result i32) (global.get $g)))"#,
            r#"(module (global $g i32 (i32.add (i32.const 40) (i32.const 2))) (func (export "run") (result i32) (global.get $g)))"#,
        ],
        Feature::MultiMemory => &[
            r#"(module (memory $a 1 9) (memory $b 1 9) (data (memory $b) (i32.const 0) "\29")
            (func (export "run") (result i32)
                (drop (memory.grow $a (i32.const 3)))
                (memory.copy $a $b (i32.const 200000) (i32.const 0) (i32.const 1))
                (i32.add (memory.size $b) (i32.load8_u $a (i32.const 200000)))))"#,
            r#"(module (memory $a 1) (memory $b 1) (func (export "run") (result i32)
                (i32.store $a (i32.const 0) (i32.const 1)) (i32.store $b (i32.const 0) (i32.const 41))
                (i32.add (i32.load $a (i32.const 0)) (i32.load $b (i32.const 0)))))"#,
            r#"(module (memory $a 1) (memory $b 1) (func (export "run") (result i32)
                (i32.store $a (i32.const 0) (i32.const 1)) (i32.store $b (i32.const 0) (i32.const 41))
                (memory.copy $b $a (i32.const 8) (i32.const 0) (i32.const 4))
                (i32.add (i32.load $b (i32.const 8)) (i32.load $b (i32.const 0)))))"#,
        ],
        Feature::Memory64 => &[
            r#"(module (memory i64 1 9)
            (func (export "run") (result i32)
                (drop (memory.grow (i64.const 1)))
                (i32.store (i64.const 70000) (i32.const 42)) (i32.load (i64.const 70000))))"#,
            r#"(module (memory i64 1) (table i64 1 funcref) (func (export "run") (result i32)
                (i32.store (i64.const 8) (i32.const 41)) (i32.add (i32.load (i64.const 8)) (i32.wrap_i64 (table.size)))))"#,
        ],
        Feature::Exceptions => &[
            r#"(module (tag $e (param i32)) (func $throw (param i32) (throw $e (local.get 0)))
                (func (export "run") (result i32)
                    (block $caught (result i32)
                        (try_table (result i32) (catch $e $caught) (call $throw (i32.const 42)) (i32.const 1)))))"#,
            r#"(module (tag $e (param i32)) (func $throw (param i32) (throw $e (local.get 0)))
                (func $again (result i32)
                    (block $caught (result i32 exnref)
                        (try_table (catch_ref $e $caught) (call $throw (i32.const 42))) (unreachable))
                    (throw_ref))
                (func (export "run") (result i32)
                    (block $caught (result i32)
                        (try_table (result i32) (catch $e $caught) (call $again)))))"#,
            r#"(module (tag $e) (tag $other) (func $throw (throw $e))
                (func (export "run") (result i32)
                    (block $all
                        (try_table (catch $other $all) (catch_all $all) (call $throw))
                        (return (i32.const 1)))
                    (i32.const 42)))"#,
            r#"(module (tag $t (param i32)) (func $throws (throw $t (i32.const 42)))
                (func (export "run") (result i32) (block $caught (result i32) (try_table (catch $t $caught) (call $throws)) (i32.const 0))))"#,
        ],
        Feature::LegacyExceptions => &[
            r#"(module (tag $e (param i32)) (func $throw (param i32) (throw $e (local.get 0)))
                (func (export "run") (result i32)
                    try (result i32) i32.const 42 call $throw i32.const 1 catch $e end))"#,
            r#"(module (tag $e) (func $throw (throw $e))
                (func (export "run") (result i32)
                    try (result i32)
                        try (result i32) call $throw i32.const 1 catch_all rethrow 0 end
                    catch $e i32.const 42 end))"#,
            r#"(module (tag $e) (func $throw (throw $e))
                (func (export "run") (result i32)
                    try $outer (result i32)
                        try (result i32) call $throw i32.const 1 delegate $outer
                    catch_all i32.const 42 end))"#,
        ],
        Feature::FunctionReferences => &[
            r#"(module (type $t (func (param i32) (result i32)))
                (func $f (type $t) (i32.add (local.get 0) (i32.const 2))) (elem declare func $f)
                (func (export "run") (result i32) (local $r (ref null $t))
                    (local.set $r (ref.func $f))
                    (block $null (call_ref $t (i32.const 40) (br_on_null $null (local.get $r))) (return))
                    (i32.const 1)))"#,
            r#"(module (type $t (func (param i32) (result i32)))
                (func $f (type $t) (i32.add (local.get 0) (i32.const 2))) (elem declare func $f)
                (func (export "run") (result i32) (return_call_ref $t (i32.const 40) (ref.func $f))))"#,
            r#"(module (type $f (func (result i32))) (func $answer (type $f) (i32.const 42)) (elem declare func $answer)
                (func $apply (param (ref $f)) (result i32) (call_ref $f (local.get 0)))
                (func (export "run") (result i32) (call $apply (ref.func $answer))))"#,
        ],
        Feature::Gc => &[
            r#"(module (type $point (struct (field $x i32) (field $y (mut i8))))
                (func (export "run") (result i32) (local $p (ref null $point))
                    (local.set $p (struct.new $point (i32.const 40) (i32.const 0)))
                    (struct.set $point $y (local.get $p) (i32.const 2))
                    (i32.add (struct.get $point $x (local.get $p)) (struct.get_u $point $y (local.get $p)))))"#,
            r#"(module (type $list (array (mut i32)))
                (func (export "run") (result i32) (local $a (ref null $list))
                    (local.set $a (array.new $list (i32.const 14) (i32.const 3)))
                    (i32.mul (array.len (local.get $a)) (array.get $list (local.get $a) (i32.const 2)))))"#,
            r#"(module (type $a (sub (struct (field i32)))) (type $b (sub $a (struct (field i32) (field i32))))
                (func $make (result anyref) (struct.new $b (i32.const 20) (i32.const 2)))
                (func (export "run") (result i32)
                    (i32.add (i32.mul (ref.test (ref $a) (call $make)) (struct.get $b 0 (ref.cast (ref $b) (call $make))))
                        (i31.get_s (ref.cast (ref i31) (ref.i31 (i32.const 22)))))))"#,
            // More garbage than any heap of sensible size, were it not collected.
            r#"(module (type $list (array (mut i64)))
                (func (export "run") (result i32) (local $i i32)
                    (loop $again
                        (drop (array.new $list (i64.const 1) (i32.const 1024)))
                        (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000))))
                    (i32.const 42)))"#,
            r#"(module (type $pair (struct (field i32) (field (mut i32)))) (type $list (array (mut (ref null $pair))))
                (func (export "run") (result i32) (local $l (ref $list))
                  (local.set $l (array.new $list (ref.null $pair) (i32.const 3)))
                  (array.set $list (local.get $l) (i32.const 1) (struct.new $pair (i32.const 40) (i32.const 2)))
                  (i32.add (struct.get $pair 0 (array.get $list (local.get $l) (i32.const 1)))
                   (struct.get $pair 1 (array.get $list (local.get $l) (i32.const 1))))))"#,
        ],
        Feature::CustomPageSizes => &[
            r#"(module (memory 42 (pagesize 1))
            (func (export "run") (result i32) (memory.size)))"#,
            r#"(module (memory 40 100 (pagesize 1)) (func (export "run") (result i32)
                (drop (memory.grow (i32.const 2))) (memory.size)))"#,
        ],
        Feature::WideArithmetic => &[
            r#"(module (func (export "run") (result i32) (local i64)
            (i64.add128 (i64.const -1) (i64.const 20) (i64.const 1) (i64.const 21)) (local.set 0) (drop)
            (i32.wrap_i64 (local.get 0))))"#,
            r#"(module (func (export "run") (result i32) (local $high i64)
                (i64.mul_wide_u (i64.const 0x8000000000000000) (i64.const 84)) (local.set $high) drop (i32.wrap_i64 (local.get $high))))"#,
        ],
        Feature::ComponentModel => &["(component)"],
        _ => &[],
    }
}

/// Modules that do nothing but need a feature, for engines without it.
pub(crate) fn needs(feature: Feature) -> &'static str {
    match feature {
        Feature::Simd => r#"(module (func (export "run") (drop (v128.const i32x4 0 0 40 0))))"#,
        Feature::TailCall => r#"(module (func $f (export "run") (return_call $f)))"#,
        Feature::Memory64 => r#"(module (memory i64 1))"#,
        Feature::Exceptions => r#"(module (tag $t) (func (throw $t)))"#,
        Feature::FunctionReferences => {
            r#"(module (type $f (func)) (func (param (ref null $f)) (call_ref $f (local.get 0))))"#
        }
        Feature::Gc => r#"(module (type $s (struct (field i32))) (func (drop (struct.new_default $s))))"#,
        Feature::CustomPageSizes => r#"(module (memory 40 100 (pagesize 1)))"#,
        Feature::WideArithmetic => r#"(module (func (result i64 i64) (i64.mul_wide_u (i64.const 1) (i64.const 84))))"#,
        Feature::RelaxedSimd => {
            r#"(module (func (drop (i8x16.relaxed_swizzle (v128.const i64x2 0 0) (v128.const i64x2 0 0)))))"#
        }
        Feature::ComponentModel => "(component)",
        Feature::LegacyExceptions => "(module (func try unreachable catch_all end))",
        Feature::MutableGlobal => r#"(module (global (export "g") (mut i32) (i32.const 1)))"#,
        Feature::SaturatingFloatToInt => "(module (func (drop (i32.trunc_sat_f64_u (f64.const 1)))))",
        Feature::SignExtension => "(module (func (drop (i32.extend8_s (i32.const 1)))))",
        Feature::MultiValue => "(module (func (result i32 i32) (i32.const 1) (i32.const 2)))",
        Feature::BulkMemory => "(module (memory 1) (func (memory.fill (i32.const 1) (i32.const 7) (i32.const 4))))",
        Feature::ReferenceTypes => "(module (table 1 externref))",
        Feature::Threads => "(module (memory 1) (func (drop (i32.atomic.load (i32.const 8)))))",
        Feature::ExtendedConst => "(module (global i32 (i32.add (i32.const 40) (i32.const 2))))",
        Feature::MultiMemory => "(module (memory 1) (memory 1))",
        other => panic!("no module needs {other}"),
    }
}
