;;! about = "a null reference where none may be"
;;! requires = ["function-references"]
;;!
;;! [expect]
;;! trap = "null-reference"
;;! code = 134

(module
  (type $f (func))
  (func (export "_start") (drop (ref.as_non_null (ref.null $f)))))
