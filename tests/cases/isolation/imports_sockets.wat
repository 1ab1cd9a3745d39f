;;! about = "WasmEdge's socket functions are there on every engine, and reach nobody without a rule"
;;! rows = [19]
;;!
;;! [expect]
;;! exit = 2
;;! refusals = ["sock_connect", "127.0.0.1:80"]

(module
  (import "wasi_snapshot_preview1" "sock_open" (func $open (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_connect" (func $connect (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  ;; An address: where its bytes are, and how many.
  (data (i32.const 16) "\20\00\00\00\04\00\00\00")
  (data (i32.const 32) "\7f\00\00\01")
  (func (export "_start")
    (if (call $open (i32.const 1) (i32.const 2) (i32.const 64)) (then unreachable))
    (call $exit (call $connect (i32.load (i32.const 64)) (i32.const 16) (i32.const 80)))))
