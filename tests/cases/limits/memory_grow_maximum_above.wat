;;! about = "a maximum that the module declares above the limit is lowered to it"
;;! rows = [10]
;;!
;;! [spec.limits]
;;! memory_bytes = "1MiB"
;;!
;;! [expect]
;;! exit = 16

(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1 65536)
  ;; Grows page by page until it may not, and exits with the number of pages that it had then.
  (func (export "_start")
    (block $refused
      (loop $again
        (br_if $refused (i32.eq (memory.grow (i32.const 1)) (i32.const -1)))
        (br_if $again (i32.lt_u (memory.size) (i32.const 200)))))
    (call $proc_exit (memory.size))))
