;;! about = "a function of sockets with parameters that it does not have is refused"
;;! rows = [22]
;;! requires = ["component-model", "own-process"]
;;!
;;! [spec.network]
;;! allow = ["connect=*"]
;;!
;;! [expect]
;;! error = "missing-imports"
;;! mentions = ["create-tcp-socket"]

(component
  (import "wasi:sockets/tcp-create-socket@0.2.0" (instance (export "create-tcp-socket" (func (param "address-family" string)))))
  (core module $main (func (export "run") (result i32) (i32.const 0)))
  (core instance $main (instantiate $main))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $out (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $out)))
