;;! about = "a field of a null reference"
;;! requires = ["gc"]
;;!
;;! [expect]
;;! trap = "null-reference"
;;! code = 134

(module
  (type $s (struct (field i32)))
  (func (export "_start") (drop (struct.get $s 0 (ref.null $s)))))
