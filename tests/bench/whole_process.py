"""Whole-process figures of wasm-run beside the engines' own command lines.

Each pair is run in turn, A B A B ..., after a warm-up of both, so that a machine that gets slower gets slower for both. What counts is
the ratio of the medians; absolute times are printed for orientation only. A figure has a target where one was promised.
"""

import argparse
import json
import os
import shutil
import sys
from pathlib import Path

from measure import CLI, GUESTS, Sample, pair, room, wasmtime_cli


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=40, help="runs of each command for short programs")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    wasmtime = wasmtime_cli()
    wasmedge = shutil.which("wasmedge")
    hello = str(GUESTS / "c" / "hello.wasm")
    few = max(9, options.runs // 3)
    figures = []

    # The peers keep their caches in the home directory; everybody starts with an empty one and is warmed up.
    with room() as (scratch, env):
        ours = lambda engine, *rest: [CLI, "--engine", engine, *rest]
        print(f"{'':58} {'wasm-run':>9} {'peer':>9}")

        theirs = [wasmtime, "run", hello]
        figures.append(pair("hello, wasmtime / wasmtime run", ours("wasmtime", hello), theirs, options.runs, env, "wall", 0.6))
        figures.append(pair("hello, wasmtime / wasmtime run, CPU", ours("wasmtime", hello), theirs, options.runs, env, "cpu"))
        figures.append(pair("hello, wasmtime / wasmtime run, peak", ours("wasmtime", hello), theirs, few, env, "peak", 1.0))

        if wasmedge:
            aot = f"{scratch}/hello.so"
            Sample([wasmedge, "compile", hello, aot], env)
            interpreted = ours("wasmedge", "--aot", "never", hello)
            compiled = ours("wasmedge", "--aot", "always", hello)
            figures.append(pair("hello, WasmEdge interpreted / wasmedge", interpreted, [wasmedge, hello], options.runs, env, "wall", 1.1))
            figures.append(pair("hello, WasmEdge AOT / wasmedge AOT", compiled, [wasmedge, aot], options.runs, env, "wall", 1.1))
            figures.append(pair("hello, WasmEdge AOT / wasmedge AOT, peak", compiled, [wasmedge, aot], few, env, "peak"))

        # On one processor: two of a shared machine's may differ by more than what is measured here.
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        for name in ("hash", "matrix", "nbody"):
            guest = GUESTS / "rust" / f"{name}.wasm"
            if not guest.exists():
                continue
            precompiled = f"{scratch}/{name}.cwasm"
            Sample([wasmtime, "compile", "-o", precompiled, str(guest)], env)
            theirs = [wasmtime, "run", "--allow-precompiled", precompiled]
            figures.append(pair(f"{name}, wasmtime / wasmtime run", ours("wasmtime", str(guest)), theirs, few, env, "wall", 1.02))
            if wasmedge:
                cache = f"{scratch}/cache-{name}"
                # Unmetered: metered code needs somebody who gives it its depth. What metering costs is a benchmark of its own.
                command = ours("wasmedge", "--cache-dir", cache, "--aot", "always", "--call-depth", "unlimited", str(guest))
                Sample(command, env)
                # The very artifact that wasm-run made; the peer tells native code by the file's name.
                [artifact] = Path(cache).glob("*.code")
                same = f"{scratch}/{name}.so"
                shutil.copy(artifact, same)
                figures.append(pair(f"{name}, WasmEdge AOT / wasmedge, same artifact", command, [wasmedge, same], few, env, "wall", 1.02))

    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return any(figure["target"] is not None and figure["ratio"] > figure["target"] for figure in figures)


if __name__ == "__main__":
    sys.exit(main())
