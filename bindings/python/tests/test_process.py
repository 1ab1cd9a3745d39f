"""What happens to the process around it: signals, forks, threads, the cost of importing."""

from __future__ import annotations

import multiprocessing
import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest
from conftest import COUNTS, ECHOES, PRINTS, SPINS, wat

import wasmrt


def test_ctrl_c_ends_the_guest(runtime: wasmrt.Runtime) -> None:
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        runtime.run(wat(SPINS), timeout=60)
    assert time.monotonic() - started < 30 and runtime.status().running == 0


def test_handlers_that_return_do_not_end_anything(runtime: wasmrt.Runtime) -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: heard.append(number))
    try:
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        outcome = runtime.run(wat(SPINS), timeout=0.5)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert heard == [signal.SIGUSR1] and outcome.status == wasmrt.LimitReached("wall-time")


def test_threads_run_at_once(runtime: wasmrt.Runtime) -> None:
    seen: list[str] = []

    def one(number: int) -> None:
        for _ in range(5):
            seen.append(runtime.run(wat(ECHOES), stdin=str(number), capture=True).text)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == sorted(str(number) for number in range(8) for _ in range(5))


def _in_child(runtime: wasmrt.Runtime, module: bytes, results: multiprocessing.Queue[tuple[str, int | None]]) -> None:
    results.put((runtime.run(module, capture=True).text, runtime.status().worker))


def test_a_runtime_goes_on_in_a_fork(runtime: wasmrt.Runtime) -> None:
    assert runtime.run(wat(PRINTS), capture=True).ok
    context = multiprocessing.get_context("fork")
    results: multiprocessing.Queue[tuple[str, int | None]] = context.Queue()
    children = [context.Process(target=_in_child, args=(runtime, wat(PRINTS), results)) for _ in range(3)]
    for child in children:
        child.start()
    told = [results.get(timeout=60) for _ in children]
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0, 0, 0]
    workers = {worker for _, worker in told} | {runtime.status().worker}
    assert all(text == "hello\n" for text, _ in told) and len(workers) == 4
    assert runtime.run(wat(PRINTS), capture=True).ok


def test_instances_stay_with_their_process(runtime: wasmrt.Runtime) -> None:
    instance = runtime.instantiate(wat(COUNTS), timeout=5)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            try:
                instance.exports.add(1, 2)
            except wasmrt.InvalidInputError:
                try:
                    runtime.instantiate(wat(COUNTS))
                except wasmrt.UnsupportedError:
                    code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert status == 0
    assert instance.exports.add(1, 2) == 3


def test_the_first_instance_may_be_made_in_a_fork(cache: pathlib.Path) -> None:
    script = f"""
        import os, wasmrt
        runtime = wasmrt.Runtime(cache={os.fspath(cache)!r})
        module = {wat(COUNTS)!r}
        if os.fork() == 0:
            ended = 1
            try:
                instance = runtime.instantiate(module, timeout=1)
                assert instance.exports.add(1, 2) == 3
                assert instance.invoke("spin").status == wasmrt.LimitReached("wall-time")
                ended = 0
            finally:
                os._exit(ended)
        assert os.wait()[1] == 0
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True, timeout=120)


def test_nobody_is_left_when_python_is_killed(cache: pathlib.Path) -> None:
    script = f"""
        import sys, wasmrt
        runtime = wasmrt.Runtime(cache={os.fspath(cache)!r})
        run = runtime.start({wat(SPINS)!r})
        print(runtime.status().worker, flush=True)
        run.wait()
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE) as python:
        assert python.stdout is not None
        worker = int(python.stdout.readline())
        python.kill()
    until = time.monotonic() + 20
    while pathlib.Path(f"/proc/{worker}/exe").exists() and time.monotonic() < until:
        time.sleep(0.01)
    assert not pathlib.Path(f"/proc/{worker}/exe").exists()


def test_python_ends_quietly_with_everything_open(cache: pathlib.Path) -> None:
    script = f"""
        import wasmrt
        runtime = wasmrt.Runtime(cache={os.fspath(cache)!r})
        run = runtime.start({wat(SPINS)!r})
        instance = runtime.instantiate({wat(COUNTS)!r}, timeout=5)
        instance.exports.add(1, 2)
    """
    done = subprocess.run([sys.executable, "-X", "dev", "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "") and "Traceback" not in done.stderr


def test_importing_needs_no_engine_and_brings_no_asyncio() -> None:
    script = """
        import sys, wasmrt
        maps = open("/proc/self/maps").read()
        assert "libwasmedge" not in maps and "asyncio" not in sys.modules and "socket" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True)
