"""Calling an exported function through C: libwasmrt beside wasmtime's own C API (PyPI's wasmtime brings its library) and WasmEdge's. In turn; medians and ratios."""

import ctypes
import os
import statistics
import subprocess
import tempfile
from pathlib import Path

import wasmtime
from measure import room
from wasmtime import _bindings

HERE = Path(__file__).parent
RELEASE = Path(os.environ["CARGO_TARGET_DIR"]) / "release"
ADD = '(module (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))'
ROUNDS = 9


def compiled(scratch):
    """The program, for the version of wasmtime that is here."""
    program = f"{scratch}/calls"
    (Path(scratch) / "libwasmrt.so.0").symlink_to(RELEASE / "libwasmrt.so")
    sizes = {
        "WASMTIME_VAL_SIZE": ctypes.sizeof(_bindings.wasmtime_val_t),
        "WASMTIME_VAL_OF": _bindings.wasmtime_val_t.of.offset,
        "WASMTIME_EXTERN_SIZE": ctypes.sizeof(_bindings.wasmtime_extern_t),
        "WASMTIME_EXTERN_OF": _bindings.wasmtime_extern_t.of.offset,
    }
    defines = [f"-D{name}={value}" for name, value in sizes.items()]
    include = f"-I{HERE}/../../ffi/include"
    subprocess.run(
        ["cc", "-std=c11", "-O2", "-Wall", include, *defines, f"{HERE}/c/calls.c", "-o", program]
        + [f"-L{RELEASE}", "-lwasmrt", f"-Wl,-rpath,{scratch}", "-lwasmedge", "-ldl"],
        check=True,
    )
    return program


def main():
    """Prints the figures."""
    with tempfile.TemporaryDirectory() as scratch, room() as (_, env):
        program = compiled(scratch)
        module = Path(scratch) / "add.wasm"
        module.write_bytes(wasmtime.wat2wasm(ADD))
        env["WASMTIME_LIBRARY"] = str(next(Path(wasmtime.__file__).parent.glob("linux-*/_libwasmtime.so")))
        calls = {
            "native": 20_000_000,
            "wasmrt-wasmtime": 2_000_000,
            "wasmrt-wasmtime-limited": 1_000_000,
            "wasmtime": 2_000_000,
            "wasmrt-wasmedge": 300_000,
            "wasmedge": 300_000,
        }
        samples = {who: [] for who in calls}
        for _ in range(ROUNDS):
            for who, times in calls.items():
                done = subprocess.run([program, who, str(module), str(times)], env=env, check=True, capture_output=True, text=True)
                samples[who].append(float(done.stdout))
        median = {who: statistics.median(figures) for who, figures in samples.items()}
        for who, figure in median.items():
            print(f"calling add, {who:52} {figure:9.1f} ns", flush=True)
        # There is no target: theirs checks no limit, makes no outcome and finds its function before, ours does all that within the call.
        for name, ours, peer in (
            ("libwasmrt on wasmtime / wasmtime's C API", "wasmrt-wasmtime", "wasmtime"),
            ("libwasmrt on WasmEdge, interpreting / WasmEdge's C API", "wasmrt-wasmedge", "wasmedge"),
        ):
            print(f"{name:66} {median[ours] / median[peer]:8.2f} times")


main()
