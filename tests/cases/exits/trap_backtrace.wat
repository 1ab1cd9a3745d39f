;;! about = "a backtrace names the functions, innermost first, by the name section"
;;!
;;! [expect]
;;! trap = "unreachable"
;;! code = 134
;;! backtrace = ["innermost", "middle", "outermost", "entry"]

(module $named
  (func $innermost unreachable)
  (func $middle (param i32)
    (if (local.get 0) (then (call $innermost))))
  (func $outermost (call $middle (i32.const 1)))
  (func $entry (export "_start") (call $outermost)))
