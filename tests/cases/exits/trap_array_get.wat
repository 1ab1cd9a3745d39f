;;! about = "an index beyond an array"
;;! requires = ["gc"]
;;!
;;! [expect]
;;! trap = "array-out-of-bounds"
;;! code = 134

(module
  (type $a (array i32))
  (func (export "_start")
    (drop (array.get $a (array.new $a (i32.const 0) (i32.const 4)) (i32.const 4)))))
