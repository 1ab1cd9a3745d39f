;;! about = "every import that nobody offers is listed at once"
;;! rows = [22]
;;!
;;! [expect]
;;! error = "missing-imports"
;;! mentions = ["first", "fd_wrote", "second", "some_memory", "some_global"]

(module
  (import "env" "first" (func))
  (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_wrote" (func (param i32) (result i32)))
  (import "env" "second" (func (param i64) (result f64)))
  (import "env" "some_memory" (memory 1))
  (import "env" "some_global" (global i32))
  (func (export "_start")))
