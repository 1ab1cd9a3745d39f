;;! about = "a cast to another type"
;;! requires = ["gc"]
;;!
;;! [expect]
;;! trap = "cast-failure"
;;! code = 134

(module
  (type $s (struct (field i32)))
  (type $t (struct (field i64)))
  (func (export "_start") (local $any anyref)
    (local.set $any (struct.new $s (i32.const 1)))
    (drop (ref.cast (ref $t) (local.get $any)))))
