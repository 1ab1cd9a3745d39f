;;! about = "a trap in a component is one"
;;! requires = ["component-model", "own-process"]
;;!
;;! [expect]
;;! trap = "unreachable"

(component
  (core module $main
    (func (export "run") (result i32) unreachable))
  (core instance $main (instantiate $main))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $out (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $out)))
