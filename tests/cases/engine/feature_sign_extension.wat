;;! about = "sign extension"
;;! requires = ["sign-extension"]
;;!
;;! [expect]
;;! exit = 42

(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (func (export "_start")
    (call $proc_exit (i32.add (i32.extend8_s (i32.const 0xff)) (i32.const 43)))))
