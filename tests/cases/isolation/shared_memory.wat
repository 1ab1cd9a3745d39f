;;! about = "shared memory is refused: no guest shares memory with anybody"
;;! rows = [10]
;;!
;;! [expect]
;;! error = "unsupported"

(module
  (memory (export "memory") 1 1 shared)
  (func (export "_start")))
