;;! about = "endless recursion, on an engine that bounds its own stack"
;;! rows = [13]
;;! any_engine = true
;;!
;;! [spec]
;;! engine = "wasmtime"
;;!
;;! [spec.limits]
;;! wall_time = "60s"
;;!
;;! [expect]
;;! trap = "stack-overflow"
;;! code = 134

(module
  (func $again (call $again))
  (func (export "_start") (call $again)))
