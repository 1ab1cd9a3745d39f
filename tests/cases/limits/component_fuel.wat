;;! about = "fuel ends a component that computes for ever"
;;! rows = [12]
;;! requires = ["component-model", "own-process"]
;;!
;;! [spec.limits]
;;! fuel = 100000
;;!
;;! [expect]
;;! limit = "fuel"

(component
  (core module $main
    (func (export "run") (result i32) (loop (br 0)) (i32.const 0)))
  (core instance $main (instantiate $main))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $out (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $out)))
