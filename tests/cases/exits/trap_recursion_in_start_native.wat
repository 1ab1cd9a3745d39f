;;! about = "endless recursion in the start section, on an engine that bounds its own stack"
;;! rows = [12, 13]
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
  (start $again)
  (func (export "_start")))
