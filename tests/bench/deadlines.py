"""How late a deadline is: guests that spin, sleep and read, ended at their time limit, with output before it."""

import argparse
import statistics
import subprocess
import sys
import time

from measure import CLI, GUESTS, judged, outcome, room

LIMIT = 0.1
TARGET = 0.020

SPIN = '(module (memory (export "memory") 1) (func (export "_start") (loop $again (br $again))))'
# Waits for standard input, which never says anything.
READ = """(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\\10\\00\\00\\00\\10\\00\\00\\00")
  (func (export "_start") (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))))"""


def overshoot(argv, env, report):
    """By how much the run, and the whole process around it, outlived the limit."""
    started = time.perf_counter()
    process = subprocess.Popen(argv, env=env, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    status = process.wait()
    whole = time.perf_counter() - started
    process.stdin.close()
    if status != 124:
        sys.exit(f"{' '.join(argv)} ended with {status}, not 124")
    wall = outcome(report)["usage"]["wall_time"]
    return wall["secs"] + wall["nanos"] / 1e9 - LIMIT, whole - LIMIT


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    options = parser.parse_args()
    missed = False
    with room() as (scratch, env):
        guests = {}
        for name, text in (("spin", SPIN), ("read", READ)):
            guests[name] = f"{scratch}/{name}.wat"
            with open(guests[name], "w") as file:
                file.write(text)
        guests["sleep"] = str(GUESTS / "rust" / "sleep.wasm")
        report = f"{scratch}/report.json"
        for engine in ("wasmtime", "wasmedge"):
            late, whole = [], []
            for run in range(options.runs):
                name = list(guests)[run % len(guests)]
                rest = ["60000"] if name == "sleep" else []
                argv = [CLI, "--quiet", "--engine", engine, "--timeout", f"{int(LIMIT * 1000)}ms", "--report", report, guests[name], *rest]
                one, other = overshoot(argv, env, report)
                late.append(one)
                whole.append(other)
            p99 = sorted(late)[max(0, int(len(late) * 0.99) - 1)]
            met = p99 <= TARGET
            missed |= not met
            print(
                f"{engine}: {options.runs} deadlines of {LIMIT * 1000:.0f} ms: median {statistics.median(late) * 1000:.2f} ms late, "
                f"p99 {p99 * 1000:.2f} ms, worst {max(late) * 1000:.2f} ms{judged(f'p99 <= {TARGET * 1000:.0f} ms', met)}; "
                f"the whole process: median {statistics.median(whole) * 1000:.1f} ms",
                flush=True,
            )
    return missed


if __name__ == "__main__":
    sys.exit(main())
