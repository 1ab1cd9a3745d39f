;;! about = "an import of the right name and the wrong signature is named with both"
;;! rows = [22]
;;!
;;! [expect]
;;! error = "missing-imports"
;;! mentions = ["fd_write", "proc_exit"]

(module
  (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func (param i64)))
  (memory (export "memory") 1)
  (func (export "_start")))
