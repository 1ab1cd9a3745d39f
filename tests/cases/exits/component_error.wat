;;! about = "a component whose run returns an error exits with 1"
;;! requires = ["component-model", "own-process"]
;;!
;;! [expect]
;;! exit = 1

(component
  (core module $main
    (func (export "run") (result i32) i32.const 1))
  (core instance $main (instantiate $main))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $out (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $out)))
