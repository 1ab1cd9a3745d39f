;;! about = "socket functions that nobody has are named, and not taken for others"
;;! rows = [22]
;;!
;;! [expect]
;;! error = "missing-imports"
;;! mentions = ["sock_open_v3", "sock_opened", "sock_close", "sock_shutdown_v2", "sock_getsockopt_v2", "sock_setsockopt_v2", "sock_getaddrinfo_v2", "sock_", "sock_poll", "SOCK_OPEN"]

(module
  (import "wasi_snapshot_preview1" "sock_open_v3" (func (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_opened" (func (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_close" (func (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_shutdown_v2" (func (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_getsockopt_v2" (func (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_setsockopt_v2" (func (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_getaddrinfo_v2" (func (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_" (func (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_poll" (func (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "SOCK_OPEN" (func (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")))
