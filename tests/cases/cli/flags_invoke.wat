;;! about = "--invoke calls an export and prints its results"
;;! flags = ["--invoke", "add", "MODULE", "40", "2"]
;;!
;;! [expect]
;;! exit = 0
;;! stdout = "42\n"
;;! results = [{ i32 = 42 }]

(module
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))
