;;! about = "a name of a second form is not linked with the signature of the first"
;;! rows = [22]
;;!
;;! [expect]
;;! error = "missing-imports"
;;! mentions = ["sock_open_v2", "sock_bind_v2", "sock_listen_v2", "sock_connect_v2", "sock_accept_v2", "sock_recv_v2", "sock_recv_from_v2", "sock_send_v2", "sock_send_to_v2", "sock_getlocaladdr_v2", "sock_getpeeraddr_v2"]

(module
  (import "wasi_snapshot_preview1" "sock_open_v2" (func (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_bind_v2" (func (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_listen_v2" (func (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_connect_v2" (func (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_accept_v2" (func (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_recv_v2" (func (param i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_recv_from_v2" (func (param i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_send_v2" (func (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_send_to_v2" (func (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_getlocaladdr_v2" (func (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_getpeeraddr_v2" (func (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")))
