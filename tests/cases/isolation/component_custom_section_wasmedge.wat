;;! about = "native code in a component is stripped on every level"
;;! rows = [17]
;;! requires = ["component-model", "own-process"]
;;!
;;! [expect]
;;! exit = 0

(component
  (@custom "wasmedge" "\7fELF")
  (component (@custom "wasmedge" "\7fELF"))
  (core module $main
    (@custom "wasmedge" "\7fELF") (func (export "run") (result i32) i32.const 0))
  (core instance $main (instantiate $main))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $out (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $out)))
