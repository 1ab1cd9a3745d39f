;;! about = "sockets of a WASI that is none are refused by name, and so are functions that sockets do not have"
;;! rows = [22]
;;! requires = ["component-model", "own-process"]
;;!
;;! [spec.network]
;;! allow = ["connect=*"]
;;!
;;! [expect]
;;! error = "missing-imports"
;;! mentions = ["wasi:sockets/tcp-create-socket@0.9.0"]

(component
  (import "wasi:sockets/tcp-create-socket@0.9.0" (instance (export "create-any-socket" (func))))
  (core module $main (func (export "run") (result i32) (i32.const 0)))
  (core instance $main (instantiate $main))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $out (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $out)))
