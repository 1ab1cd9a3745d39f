;;! about = "endless recursion with no limit of nested calls, on an engine that bounds its own stack"
;;! rows = [13]
;;! any_engine = true
;;!
;;! [spec]
;;! engine = "wasmtime"
;;!
;;! [spec.limits]
;;! call_depth = "unlimited"
;;! wall_time = "60s"
;;!
;;! [expect]
;;! trap = "stack-overflow"
;;! code = 134

(module
  (func $again (call $again))
  (func (export "_start") (call $again)))
