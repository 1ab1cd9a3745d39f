;;! about = "a module in a component that starts above the limit is refused"
;;! rows = [10]
;;! requires = ["component-model", "own-process"]
;;!
;;! [spec.limits]
;;! memory_bytes = "1MiB"
;;!
;;! [expect]
;;! error = "limit-exceeded"
;;! code = 126

(component
  (component (core module (memory 17)))
  (core module $main
    (func (export "run") (result i32) i32.const 0))
  (core instance $main (instantiate $main))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $out (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $out)))
