;;! about = "sockets that no policy allows are not offered: WasmEdge has them in every guest"
;;! rows = [19, 22]
;;!
;;! [expect]
;;! error = "missing-imports"
;;! mentions = ["sock_open", "sock_connect"]

(module
  (import "wasi_snapshot_preview1" "sock_open" (func (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_connect" (func (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")))
