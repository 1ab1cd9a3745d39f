;;! about = "proc_exit in the start section ends the guest before _start"
;;! rows = [21]
;;!
;;! [expect]
;;! exit = 9

(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (func $early (call $proc_exit (i32.const 9)))
  (start $early)
  (func (export "_start") unreachable))
