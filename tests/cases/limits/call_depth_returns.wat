;;! about = "only nesting counts: a hundred thousand calls one after the other are no deeper than one"
;;! requires = ["call-depth"]
;;!
;;! [spec.limits]
;;! call_depth = 2
;;!
;;! [expect]
;;! exit = 0

(module
  (func $inner)
  (func $middle (call $inner))
  (func (export "_start") (local $n i32)
    (loop $again
      (call $middle)
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $n) (i32.const 100000))))))
