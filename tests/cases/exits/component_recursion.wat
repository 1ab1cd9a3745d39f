;;! about = "a component that never stops calling itself traps"
;;! rows = [13]
;;! requires = ["component-model", "own-process"]
;;!
;;! [expect]
;;! trap = "stack-overflow"

(component
  (core module $main
    (func $f (export "run") (result i32) (i32.add (call $f) (i32.const 1))))
  (core instance $main (instantiate $main))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $out (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $out)))
