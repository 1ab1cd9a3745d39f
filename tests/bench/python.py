"""The Python package beside its peers: the wasmedge CLI, PyPI's wasmtime and extism. All in one process, in turn; medians and ratios."""

import concurrent.futures
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time

import extism
import wasmtime
from measure import GUESTS, judged

import wasmrt


def wat(text):
    """A module from its text form."""
    return bytes(wasmtime.wat2wasm(text))


HELLO = (GUESTS / "c/hello.wasm").read_bytes()
ADD = wat('(module (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))')
# Bytes in, as many bytes out, each one more than it was: through memory that the caller writes and reads...
BYTES = wat("""
(module
  (memory (export "memory") 2)
  (func (export "more") (param $from i32) (param $count i32) (result i32) (local $i i32)
    (loop $next
      (i64.store (i32.add (i32.const 65536) (local.get $i))
        (i64.add (i64.load (i32.add (local.get $from) (local.get $i))) (i64.const 0x0101010101010101)))
      (local.set $i (i32.add (local.get $i) (i32.const 8)))
      (br_if $next (i32.lt_u (local.get $i) (local.get $count))))
    (i32.const 65536)))
""")
# ...and by extism's ABI.
BYTES_EXTISM = wat("""
(module
  (import "extism:host/env" "input_length" (func $length (result i64)))
  (import "extism:host/env" "input_load_u64" (func $load (param i64) (result i64)))
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "store_u64" (func $store (param i64 i64)))
  (import "extism:host/env" "output_set" (func $output (param i64 i64)))
  (memory (export "memory") 1)
  (func (export "more") (result i32) (local $to i64) (local $i i64)
    (local.set $to (call $alloc (call $length)))
    (loop $next
      (call $store (i64.add (local.get $to) (local.get $i))
        (i64.add (call $load (local.get $i)) (i64.const 0x0101010101010101)))
      (local.set $i (i64.add (local.get $i) (i64.const 8)))
      (br_if $next (i64.lt_u (local.get $i) (call $length))))
    (call $output (local.get $to) (call $length))
    (i32.const 0)))
""")
INPUT = b"abcdefgh" * 8
ROUNDS = 7
missed = False


def once(work, times):
    """Seconds that one of so many takes."""
    started = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - started) / times


def in_turn(*works):
    """The median of each, measured in turn. A work is a function and how often it is done each time."""
    for work, _ in works:
        work()
    samples = [[once(work, times) for work, times in works] for _ in range(ROUNDS)]
    return [statistics.median(side) for side in zip(*samples)]


def line(name, seconds, target=None, unit=1e6, word="us"):
    """One figure, and whether it is what it is to be."""
    global missed
    met = target is None or seconds <= target
    missed |= not met
    verdict = "" if target is None else judged(f"<= {target * unit:g} {word}", met)
    print(f"{name:66} {seconds * unit:10.3f} {word}{verdict}", flush=True)


def ratio(name, ours, peer, target=None):
    """A figure beside a peer's."""
    global missed
    met = target is None or ours / peer <= target
    missed |= not met
    verdict = "" if target is None else judged(f"<= {target:g}", met)
    print(f"{name:66} {ours / peer:10.3f} times{verdict}", flush=True)


def processes(runtime, scratch):
    """Whole runs."""
    module = wasmrt.Module(HELLO)
    path = f"{scratch}/hello.wasm"
    with open(path, "wb") as file:
        file.write(HELLO)
    options = {"stdin": wasmrt.NULL, "stdout": wasmrt.NULL, "stderr": wasmrt.NULL, "args": ["hello"], "memory": "64Mi", "timeout": 10}

    def run(engine):
        assert runtime.run(module, engine=engine, **options).ok

    def cli():
        subprocess.run(["wasmedge", path], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    for engine in ("wasmedge", "wasmtime"):
        ours, peer = in_turn((lambda engine=engine: run(engine), 20), (cli, 5))
        line(f"run hello on {engine}, a process of its own", ours, 5e-3, 1e3, "ms")
        ratio(f"run hello on {engine} / spawning the wasmedge CLI", ours, peer, 0.2)
        print(f"{f'compile once, run many, one after the other, {engine}':66} {1 / ours:10.0f} per second")
    with concurrent.futures.ThreadPoolExecutor(64) as pool:

        def crowd(engine):
            list(pool.map(run, [engine] * 256))

        for engine in ("wasmedge", "wasmtime"):
            alone, together = in_turn((lambda engine=engine: run(engine), 64), (lambda engine=engine: crowd(engine), 1))
            print(f"{f'64 at once, {engine}':66} {256 / together:10.0f} per second")
            ratio(f"64 at once / alone, time for each run, {engine}, {os.cpu_count()} cores", together / 256, alone, 1.4 / os.cpu_count())


def calls(runtime):
    """Calling an exported function, and bytes there and back."""
    instance = runtime.instantiate(ADD, engine="wasmtime")
    bounded = runtime.instantiate(ADD, engine="wasmtime", timeout=10, fuel=10**15)
    store = wasmtime.Store()
    theirs = wasmtime.Instance(store, wasmtime.Module(store.engine, ADD), []).exports(store)["add"]
    noop = extism.Plugin(wat('(module (memory (export "memory") 1) (func (export "noop") (result i32) (i32.const 0)))'))
    add, bounded_add = instance.exports.add, bounded.exports.add
    assert add(2, 3) == theirs(store, 2, 3) == bounded_add(2, 3) == 5
    ours, limited, peer, plugin = in_turn(
        (lambda: add(2, 3), 100_000), (lambda: bounded_add(2, 3), 100_000), (lambda: theirs(store, 2, 3), 5_000), (lambda: noop.call("noop", b""), 5_000)
    )
    line("calling add in-process on wasmtime", ours, 1e-6)
    line("the same with a deadline and fuel", limited)
    line("wasmtime-py", peer)
    line("extism, a function that does nothing", plugin)
    ratio("calling add / wasmtime-py", ours, peer, 1.0)

    guest = runtime.instantiate(BYTES, engine="wasmtime")
    more, memory = guest.exports.more, guest.memory

    def bytes_ours():
        memory.write(0, INPUT)
        return memory.read(more(0, len(INPUT)), len(INPUT))

    extism_plugin = extism.Plugin(BYTES_EXTISM)

    def bytes_extism():
        return extism_plugin.call("more", INPUT)

    assert bytes_ours() == bytes(bytes_extism()) == bytes(byte + 1 for byte in INPUT)
    ours, peer = in_turn((bytes_ours, 30_000), (bytes_extism, 5_000))
    line("64 bytes in, 64 bytes out", ours)
    line("extism", peer)
    ratio("bytes in, bytes out / extism", ours, peer, 0.2)


def instances(runtime):
    """A fresh instance and its `_start`."""
    limits = {"memory": "64Mi", "timeout": 10, "fuel": 10**12, "stdout": wasmrt.NULL, "stderr": wasmrt.NULL, "stdin": wasmrt.NULL, "args": ["hello"]}
    kept = runtime.instantiate(HELLO, engine="wasmtime", **limits)
    module = wasmrt.Module(HELLO)

    def end_of_start(instance):
        with contextlib.suppress(wasmrt.ExitError):
            instance.exports._start()

    def reset():
        kept.reset()
        end_of_start(kept)

    def anew():
        with runtime.instantiate(module, engine="wasmtime", **limits) as instance:
            end_of_start(instance)

    engine = wasmtime.Engine()
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    compiled = wasmtime.Module(engine, HELLO)
    null = os.devnull

    def theirs():
        store = wasmtime.Store(engine)
        wasi = wasmtime.WasiConfig()
        wasi.argv = ["hello"]
        wasi.stdout_file = null
        wasi.stderr_file = null
        store.set_wasi(wasi)
        instance = linker.instantiate(store, compiled)
        try:
            instance.exports(store)["_start"](store)
        except wasmtime.ExitTrap as end:
            assert end.code == 0

    ours, whole, peer = in_turn((reset, 500), (anew, 50), (theirs, 500))
    line("compiled once: fresh instance and _start of hello, limits on", ours)
    line("wasmtime-py: new store, WASI and _start, no limits", peer)
    ratio("fresh instance and _start / wasmtime-py", ours, peer, 1.0)
    line("with everything made anew, from the cache", whole)


def importing():
    """What `import wasmrt` takes: the module's own time, in new processes."""
    program = "import time; start = time.perf_counter(); import wasmrt; print(time.perf_counter() - start)"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    samples = [float(subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, env=environment).stdout) for _ in range(21)]
    line("import wasmrt", statistics.median(samples), 50e-3, 1e3, "ms")


def main():
    with tempfile.TemporaryDirectory() as scratch, wasmrt.Runtime(cache=f"{scratch}/cache") as runtime:
        processes(runtime, scratch)
        calls(runtime)
        instances(runtime)
        importing()
    return missed


if __name__ == "__main__":
    sys.exit(main())
