;;! about = "a component with nothing to call is refused on engines with components, and as a component on the others"
;;! rows = [22]
;;! requires = ["component-model", "own-process"]
;;!
;;! [expect]
;;! error = "missing-export"
;;! code = 126
;;! mentions = ["wasi:cli/run"]

(component)
