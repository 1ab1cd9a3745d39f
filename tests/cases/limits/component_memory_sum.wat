;;! about = "the memories of all instances in a component share one limit"
;;! rows = [10]
;;! requires = ["component-model", "own-process"]
;;!
;;! [spec.limits]
;;! memory_bytes = "1MiB"
;;!
;;! [expect]
;;! exit = 0

(component
  (core module $side (memory 6))
  (core instance $one (instantiate $side))
  (core instance $two (instantiate $side))
  (core module $main
    (memory 1)
    ;; 6 and 6 and 1 pages are there, and 16 may be.
    (func (export "run") (result i32)
      (if (i32.eq (memory.grow (i32.const 3)) (i32.const -1)) (then unreachable))
      (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
  (core instance $main (instantiate $main))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $out (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $out)))
