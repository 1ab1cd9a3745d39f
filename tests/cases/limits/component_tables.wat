;;! about = "the tables of all instances in a component share one limit"
;;! rows = [11]
;;! requires = ["component-model", "own-process"]
;;!
;;! [spec.limits]
;;! table_elements = 100
;;!
;;! [expect]
;;! exit = 0

(component
  (core module $side (table 40 funcref))
  (core instance $one (instantiate $side))
  (core instance $two (instantiate $side))
  (core module $main
    (table 10 funcref)
    (func (export "run") (result i32)
      (if (i32.eq (table.grow (ref.null func) (i32.const 10)) (i32.const -1)) (then unreachable))
      (i32.ne (table.grow (ref.null func) (i32.const 1)) (i32.const -1))))
  (core instance $main (instantiate $main))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $out (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $out)))
