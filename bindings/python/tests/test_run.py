"""Runs: outcomes, streams, grants, limits, endings."""

from __future__ import annotations

import datetime
import gc
import io
import os
import pathlib
import socket
import threading
from typing import Any

import pytest
from conftest import ECHOES, EXITS, PRINTS, SPINS, TRAPS, WAITS, guest, wat

import wasmrt
from wasmrt import CAPTURE, NULL, PIPE, Capture, Invoke, Limits, Preopen


def test_a_program_that_prints(runtime: wasmrt.Runtime) -> None:
    outcome = runtime.run(wat(PRINTS), capture=True)
    assert outcome.ok and outcome.status == wasmrt.Exited(0) and outcome.exit_code == 0
    assert (outcome.stdout, outcome.stderr, outcome.text) == (b"hello\n", b"", "hello\n")
    assert outcome.usage.output_bytes == 6 and outcome.usage.memory_pages == 1
    assert outcome.usage.wall_time > datetime.timedelta() and outcome.usage.peak_memory_bytes > 0
    assert outcome.engine in ("wasmedge", "wasmtime") and outcome.tier in ("interpreter", "baseline", "optimized")
    assert outcome.os_sandbox is not None
    assert outcome.check() is outcome


def test_modules_are_bytes_paths_or_modules(runtime: wasmrt.Runtime, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "prints.wasm"
    path.write_bytes(wat(PRINTS))
    module = wasmrt.Module(path)
    assert module.size == len(wat(PRINTS)) and len(module.hash) == 64
    for source in (path, os.fspath(path), wat(PRINTS), bytearray(wat(PRINTS)), memoryview(wat(PRINTS)), module):
        assert runtime.run(source, capture=True).text == "hello\n"
    with pytest.raises(wasmrt.NotFoundError) as caught:
        runtime.run(tmp_path / "missing.wasm")
    assert isinstance(caught.value, FileNotFoundError) and "missing.wasm" in str(caught.value)


def test_ports_that_the_system_chose(runtime: wasmrt.Runtime) -> None:
    network = wasmrt.Network(publish=["127.0.0.1:0:8080", "127.0.0.1:0:53/udp"])
    with runtime.start(wat(WAITS), network=network, stdin=PIPE) as run:
        stream, datagrams = run.published(timeout=30)
        assert (stream.address, stream.guest_port, stream.protocol) == ("127.0.0.1", 8080, "tcp")
        assert (datagrams.guest_port, datagrams.protocol) == (53, "udp") and datagrams.port > 0
        socket.create_connection((stream.address, stream.port), 10).close()
        assert run.published() == (stream, datagrams)
        assert run.stdin is not None
        run.stdin.close()
        assert run.wait(30).ok and run.published() == (stream, datagrams)
    with runtime.start(wat(WAITS), stdin=NULL) as run:
        assert run.published() == ()
    with runtime.start(b"no module", network=network) as run:
        assert run.published(timeout=30) == ()


def test_endings(runtime: wasmrt.Runtime) -> None:
    exited = runtime.run(wat(EXITS))
    assert not exited.ok and exited.status == wasmrt.Exited(7) and exited.exit_code == 7
    trapped = runtime.run(wat(TRAPS), engine="wasmtime")
    assert isinstance(trapped.status, wasmrt.Trapped) and trapped.status.trap.kind == "unreachable"
    assert trapped.exit_code == 134 and [frame.function for frame in trapped.status.trap.backtrace] == [0, 1]
    bounds: list[tuple[dict[str, Any], str, int]] = [
        ({"timeout": 0.2}, "wall-time", 124),
        ({"cpu_time": "100ms"}, "cpu-time", 152),
        ({"fuel": 10_000}, "fuel", 152),
    ]
    for options, limit, code in bounds:
        ended = runtime.run(wat(SPINS), **options)
        assert ended.status == wasmrt.LimitReached(limit) and ended.exit_code == code
    flood = runtime.run(wat(ECHOES), stdin=b"x" * 5000, stdout=Capture(100))
    assert flood.status == wasmrt.LimitReached("output-bytes") and flood.stdout is not None and len(flood.stdout) <= 100


def test_check_raises_with_the_outcome(runtime: wasmrt.Runtime) -> None:
    cases: list[tuple[str, type[wasmrt.GuestError], dict[str, Any]]] = [
        (EXITS, wasmrt.ExitError, {}),
        (TRAPS, wasmrt.TrapError, {}),
        (SPINS, wasmrt.LimitError, {"timeout": 0.1}),
    ]
    for text, cls, options in cases:
        with pytest.raises(cls) as caught:
            runtime.run(wat(text), check=True, **options)
        assert isinstance(caught.value, wasmrt.GuestError) and caught.value.outcome.status != wasmrt.Exited(0)


def test_stdin(runtime: wasmrt.Runtime, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "input"
    path.write_bytes(b"from a file")

    def said(stdin: Any) -> bytes:
        stdout = runtime.run(wat(ECHOES), stdin=stdin, stdout=CAPTURE).stdout
        assert stdout is not None
        return stdout

    assert said("täxt") == "täxt".encode()
    assert said(bytes(range(256)) * 100) == bytes(range(256)) * 100
    assert said(bytearray(b"array")) == b"array"
    assert said(path) == b"from a file"
    assert said(NULL) == b""
    assert said(io.BytesIO(b"in memory")) == b"in memory"
    assert said(io.StringIO("in memory")) == b"in memory"
    with open(path, "rb") as file:
        file.seek(5)
        os.lseek(file.fileno(), 5, os.SEEK_SET)
        assert said(file) == b"a file"
        os.lseek(file.fileno(), 0, os.SEEK_SET)
        assert said(file.fileno()) == b"from a file"
    for wrong in (3.5, PIPE, CAPTURE):
        with pytest.raises(wasmrt.InvalidInputError):
            said(wrong)


def test_stdout(runtime: wasmrt.Runtime, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "output"
    runtime.run(wat(PRINTS), stdout=path)
    assert path.read_bytes() == b"hello\n"
    with open(path, "ab") as file:
        file.write(b"and ")
        outcome = runtime.run(wat(PRINTS), stdout=file)
    assert path.read_bytes() == b"hello\nand hello\n" and outcome.stdout is None
    memory, text = io.BytesIO(), io.StringIO()
    runtime.run(wat(PRINTS), stdout=memory)
    runtime.run(wat(PRINTS), stdout=text)
    assert (memory.getvalue(), text.getvalue()) == (b"hello\n", "hello\n")
    assert runtime.run(wat(PRINTS), stdout=NULL).usage.output_bytes == 6
    refused: list[Any] = ["output.txt", 3.5, PIPE]
    for wrong in refused:
        with pytest.raises(wasmrt.InvalidInputError):
            runtime.run(wat(PRINTS), stdout=wrong)


def test_what_is_inherited_goes_to_the_descriptors_of_the_process(runtime: wasmrt.Runtime, capfd: pytest.CaptureFixture[str]) -> None:
    runtime.run(wat(PRINTS))
    assert capfd.readouterr().out == "hello\n"


def test_streaming(runtime: wasmrt.Runtime) -> None:
    with runtime.start(wat(ECHOES), stdin=PIPE, stdout=PIPE) as run:
        assert run.stdin is not None and run.stdout is not None and run.stderr is None
        for line in (b"one\n", b"two\n"):
            run.stdin.write(line)
            assert run.stdout.readline() == line
        assert run.poll() is None
        with pytest.raises(TimeoutError):
            run.wait(timeout=0.05)
        run.stdin.close()
        assert run.wait(timeout=datetime.timedelta(seconds=30)).ok
        assert run.stdout.read() == b""
        assert run.poll() is run.wait()


def test_leaving_the_block_ends_the_guest(runtime: wasmrt.Runtime) -> None:
    with runtime.start(wat(SPINS)) as run:
        assert runtime.status().running == 1
    assert runtime.status().running == 0
    with pytest.raises(wasmrt.CancelledError):
        run.wait()


def test_cancel_from_another_thread(runtime: wasmrt.Runtime) -> None:
    run = runtime.start(wat(WAITS), stdin=PIPE)
    threading.Timer(0.1, run.cancel).start()
    with pytest.raises(wasmrt.CancelledError) as caught:
        run.wait()
    assert caught.value.kind == "cancelled"


def test_several_threads_may_wait_for_one_run(runtime: wasmrt.Runtime) -> None:
    run = runtime.start(wat(WAITS), stdin=PIPE)
    seen: list[wasmrt.Outcome] = []
    threads = [threading.Thread(target=lambda: seen.append(run.wait())) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert run.stdin is not None
    run.stdin.close()
    for thread in threads:
        thread.join()
    assert len(seen) == 4 and all(outcome is seen[0] for outcome in seen)


def test_grants(runtime: wasmrt.Runtime, tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("content")
    hello = guest("c/hello.wasm")
    assert runtime.run(hello, args=["hello", "there"], capture=True).ok
    walk = guest("rust/walk.wasm")
    seen = runtime.run(walk, args=["walk", "/data"], preopens=[Preopen(tmp_path, "/data", "ro")], capture=True)
    assert seen.ok and "file" in seen.text
    assert not runtime.run(walk, args=["walk", "/data"], capture=True).ok
    os.environ["WASMRT_TEST_VARIABLE"] = "inherited"
    try:
        spec_of = wasmrt.spec.Spec({"env": {"A": "1"}, "inherit_env": ["WASMRT_TEST_VARIABLE"]}, "process")
        assert '"inherit": ["WASMRT_TEST_VARIABLE"]' in spec_of.json
        shows = wat(SHOWS_ENVIRONMENT)
        assert runtime.run(shows, env={"A": "1"}, capture=True).stdout == b"A=1\0"
        assert runtime.run(shows, env={}, inherit_env=["WASMRT_TEST_VARIABLE"], capture=True).stdout == b"WASMRT_TEST_VARIABLE=inherited\0"
        assert runtime.run(shows, capture=True).stdout == b""
    finally:
        del os.environ["WASMRT_TEST_VARIABLE"]


SHOWS_ENVIRONMENT = """
(module
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (drop (call $sizes (i32.const 0) (i32.const 4)))
    (drop (call $get (i32.const 64) (i32.const 4096)))
    (i32.store (i32.const 16) (i32.const 4096)) (i32.store (i32.const 20) (i32.load (i32.const 4)))
    (drop (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 32)))))
"""


def test_invoke(runtime: wasmrt.Runtime) -> None:
    module = wat('(module (func (export "mix") (param i32 i64 f32 f64) (result f64 f32 i64 i32) (local.get 3) (local.get 2) (local.get 1) (local.get 0)))')
    outcome = runtime.run(module, invoke=Invoke("mix", -1, "0xff", 0.5, 1e300))
    assert outcome.results == (1e300, 0.5, 255, -1)
    with pytest.raises(wasmrt.MissingExportError):
        runtime.run(module, invoke="missing")
    with pytest.raises(wasmrt.MissingExportError):
        runtime.run(module)


def test_fixed_time_and_randomness(runtime: wasmrt.Runtime) -> None:
    module = wat("""
    (module
      (import "wasi_snapshot_preview1" "clock_time_get" (func $time (param i32 i64 i32) (result i32)))
      (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
      (memory (export "memory") 1)
      (func (export "time") (result i64) (drop (call $time (i32.const 0) (i64.const 0) (i32.const 0))) (i64.load (i32.const 0)))
      (func (export "random") (result i64) (drop (call $random (i32.const 0) (i32.const 8))) (i64.load (i32.const 0))))
    """)
    when = datetime.datetime(2001, 9, 9, 1, 46, 40, tzinfo=datetime.timezone.utc)
    for clock in (when, 1_000_000_000):
        (time,) = runtime.run(module, invoke="time", clock=clock).results
        assert 10**18 <= time < 10**18 + 10**6
    seeds = [runtime.run(module, invoke="random", random_seed=seed).results for seed in (7, 7, 8)]
    assert seeds[0] == seeds[1] != seeds[2]


def test_wrong_requests_are_refused_by_name(runtime: wasmrt.Runtime) -> None:
    module = wat(PRINTS)
    with pytest.raises(TypeError, match="no keyword 'memroy'"):
        runtime.run(module, memroy="1Mi")  # type: ignore[call-arg]
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"memory": "64 apples"}, "64 apples"),
        ({"memory": 1.5}, "memory_bytes"),
        ({"memory": True}, "memory_bytes"),
        ({"timeout": -1}, "wall_time"),
        ({"timeout": float("nan")}, "wall_time"),
        ({"timeout": datetime.timedelta(seconds=-1)}, "wall_time"),
        ({"limits": Limits(fuel=1), "fuel": 2}, "fuel"),
        ({"limits": {"fuel": 1}}, "Limits"),
        ({"engine": "v8"}, "'v8' is not an engine"),
        ({"engine": 3}, "engine"),
        ({"aot": "sometimes"}, "aot"),
        ({"isolation": "chroot"}, "isolation"),
        ({"optimize": 9}, "optimize"),
        ({"args": "one"}, "args"),
        ({"args": ["a", 3]}, "args"),
        ({"preopens": ["/data"]}, "Preopen"),
        ({"preopens": [Preopen("/", "/x", "rx")]}, "rx"),
        ({"network": ["connect=*"]}, "Network"),
        ({"network": wasmrt.Network(allow=["call=home"])}, "call"),
        ({"network": wasmrt.Network(allow="connect=*")}, "allow"),
        ({"clock": -5}, "spec"),
        ({"args": ["\udcff"]}, "spec"),
    ]
    for options, named in wrong:
        with pytest.raises(wasmrt.InvalidInputError) as caught:
            runtime.run(module, **options)
        assert isinstance(caught.value, ValueError) and named in str(caught.value), (options, str(caught.value))


def test_errors_of_modules(runtime: wasmrt.Runtime) -> None:
    with pytest.raises(wasmrt.NotWasmError) as caught:
        runtime.run(b"#!/bin/sh\n")
    error = caught.value
    assert error.kind == "not-wasm" and error.message and str(error)
    with pytest.raises(wasmrt.NotWasmError):
        runtime.run(b"")
    with pytest.raises(wasmrt.MissingImportsError):
        runtime.run(wat('(module (import "a" "b" (func)) (func (export "_start")))'))
    with pytest.raises(wasmrt.InvalidModuleError):
        runtime.run(wat(PRINTS)[:-3])


def test_a_ceiling(cache: pathlib.Path) -> None:
    ceiling = wasmrt.Ceiling(Limits(memory_bytes="1Mi", wall_time=30), engines=["wasmtime"], preopens=False, network=False)
    with wasmrt.Runtime(cache=cache, ceiling=ceiling) as runtime:
        assert runtime.run(wat(PRINTS), capture=True).engine == "wasmtime"
        above: list[dict[str, Any]] = [
            {"memory": "2Mi"},
            {"timeout": "unlimited"},
            {"engine": "wasmedge"},
            {"preopens": [Preopen("/tmp", "/tmp")]},
            {"network": wasmrt.Network(allow=["connect=*"])},
        ]
        for options in above:
            with pytest.raises((wasmrt.DeniedError, wasmrt.EngineUnavailableError)):
                runtime.run(wat(PRINTS), **options)


def test_places_are_bounded(cache: pathlib.Path) -> None:
    with wasmrt.Runtime(cache=cache, max_runs=1, queue=0) as runtime, runtime.start(wat(SPINS)) as run:
        with pytest.raises(wasmrt.BusyError):
            runtime.run(wat(PRINTS), place_within=0)
        with pytest.raises(wasmrt.BusyError):
            runtime.run(wat(PRINTS), place_within=0.15)
        threading.Timer(0.1, run.cancel).start()
        assert runtime.run(wat(PRINTS), capture=True).text == "hello\n"


def test_looking_compiling_and_status(runtime: wasmrt.Runtime) -> None:
    names = {status.name: status for status in runtime.engines()}
    assert names["wasmtime"].capabilities is not None and names["wasmtime"].error is None
    inspection = runtime.inspect(wat(PRINTS))
    assert inspection.bytes == len(wat(PRINTS)) and inspection.unresolved is None and inspection.auto in names
    assert inspection.info["imports"][0]["name"] == "fd_write"
    first = runtime.compile(wat(ECHOES), engine="wasmtime")
    assert first.engine == "wasmtime" and first.code_bytes > 0
    assert runtime.compile(wat(ECHOES), engine="wasmtime").elapsed is None
    runtime.preload(wat(PRINTS))
    status = runtime.status()
    assert status.worker and (status.running, status.queued, status.max_runs, status.queue) == (0, 0, 64, 512)


def test_a_closed_runtime_starts_nothing(cache: pathlib.Path) -> None:
    runtime = wasmrt.Runtime(cache=cache)
    run = runtime.start(wat(SPINS))
    worker = runtime.status().worker
    runtime.close()
    with pytest.raises(wasmrt.CancelledError):
        run.wait()
    with pytest.raises(wasmrt.CancelledError):
        runtime.run(wat(PRINTS))
    assert worker is not None and not pathlib.Path(f"/proc/{worker}/exe").exists()


def test_runs_leave_nothing_behind(runtime: wasmrt.Runtime) -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    runtime.run(wat(PRINTS), capture=True)
    gc.collect()
    before = descriptors()
    for _ in range(50):
        runtime.run(wat(PRINTS), capture=True, stdin=b"x")
        with runtime.start(wat(ECHOES), stdin=PIPE, stdout=PIPE):
            pass
    assert descriptors() <= before
