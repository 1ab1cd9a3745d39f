;;! about = "a call through a null reference"
;;! requires = ["function-references"]
;;!
;;! [expect]
;;! trap = "null-reference"
;;! code = 134

(module
  (type $f (func))
  (func (export "_start") (call_ref $f (ref.null $f))))
