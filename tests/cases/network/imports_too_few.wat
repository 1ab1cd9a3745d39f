;;! about = "a socket function with a parameter too few is not linked, in place of any form of it"
;;! rows = [22]
;;!
;;! [expect]
;;! error = "missing-imports"
;;! mentions = ["sock_open", "sock_bind", "sock_listen", "sock_connect", "sock_recv", "sock_send", "sock_send_to", "sock_shutdown", "sock_getsockopt", "sock_setsockopt", "sock_getaddrinfo", "sock_accept", "sock_recv_from", "sock_getlocaladdr", "sock_getpeeraddr"]

(module
  (import "wasi_snapshot_preview1" "sock_open" (func (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_bind" (func (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_listen" (func (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_connect" (func (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_recv" (func (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_send" (func (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_send_to" (func (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_shutdown" (func (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_getsockopt" (func (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_setsockopt" (func (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_getaddrinfo" (func (param i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_accept" (func (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_recv_from" (func (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_getlocaladdr" (func (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_getpeeraddr" (func (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")))
