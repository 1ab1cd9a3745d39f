"""Runs in an event loop."""

from __future__ import annotations

import asyncio
import pathlib
import threading
import time

import pytest
from conftest import ECHOES, EXITS, PRINTS, SPINS, WAITS, wat

import wasmrt
from wasmrt import PIPE


def test_many_at_once_on_no_thread(runtime: wasmrt.Runtime) -> None:
    async def main() -> None:
        before = threading.active_count()
        outcomes = await asyncio.gather(*(runtime.run_async(wat(ECHOES), stdin=f"{number}", capture=True) for number in range(40)))
        assert [outcome.text for outcome in outcomes] == [str(number) for number in range(40)]
        assert threading.active_count() == before

    asyncio.run(main())


def test_ports_that_the_system_chose(runtime: wasmrt.Runtime) -> None:
    async def main() -> None:
        network = wasmrt.Network(publish=["127.0.0.1:0:8080"])
        async with await runtime.start_async(wat(WAITS), network=network, stdin=PIPE) as run:
            forgotten = asyncio.ensure_future(run.published())
            await asyncio.sleep(0)
            forgotten.cancel()
            [port], [again] = await asyncio.wait_for(asyncio.gather(run.published(), run.published()), 30)
            assert port == again and port.guest_port == 8080
            _, writer = await asyncio.open_connection(port.address, port.port)
            writer.close()
            assert run.stdin is not None
            run.stdin.close()
            assert (await run.wait()).ok

    asyncio.run(main())


def test_endings_and_errors(runtime: wasmrt.Runtime) -> None:
    async def main() -> None:
        assert (await runtime.run_async(wat(EXITS))).status == wasmrt.Exited(7)
        with pytest.raises(wasmrt.ExitError):
            await runtime.run_async(wat(EXITS), check=True)
        with pytest.raises(wasmrt.NotWasmError):
            await runtime.run_async(b"text")
        with pytest.raises(wasmrt.InvalidInputError):
            await runtime.run_async(wat(PRINTS), stdout=PIPE)

    asyncio.run(main())


def test_the_loop_goes_on_and_cancelling_ends_the_guest(runtime: wasmrt.Runtime) -> None:
    async def main() -> None:
        task = asyncio.ensure_future(runtime.run_async(wat(SPINS)))
        while runtime.status().running == 0:
            await asyncio.sleep(0.01)
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert runtime.status().running == 0
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(runtime.run_async(wat(SPINS)), 0.2)
        assert runtime.status().running == 0

    asyncio.run(main())


def test_streaming(runtime: wasmrt.Runtime) -> None:
    async def main() -> None:
        async with await runtime.start_async(wat(ECHOES), stdin=PIPE, stdout=PIPE) as run:
            assert run.stdin is not None and run.stdout is not None and run.stderr is None
            for line in (b"one\n", b"two\n"):
                run.stdin.write(line)
                await run.stdin.drain()
                assert await run.stdout.readline() == line
            run.stdin.close()
            first, second = await asyncio.gather(run.wait(), run.wait())
            assert first is second and first.ok
            assert await run.stdout.read() == b""

    asyncio.run(main())


def test_leaving_the_block_ends_the_guest(runtime: wasmrt.Runtime) -> None:
    async def main() -> None:
        async with await runtime.start_async(wat(SPINS)) as run:
            pass
        with pytest.raises(wasmrt.CancelledError):
            await run.wait()
        assert runtime.status().running == 0

    asyncio.run(main())


def test_who_stops_waiting_does_not_end_the_run(runtime: wasmrt.Runtime) -> None:
    async def main() -> None:
        async with await runtime.start_async(wat(ECHOES), stdin=PIPE, stdout=PIPE) as run:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(run.wait(), 0.1)
            assert run.stdin is not None
            run.stdin.close()
            assert (await run.wait()).ok

    asyncio.run(main())


def test_places_are_waited_for_without_holding_up_the_loop(cache: pathlib.Path) -> None:
    async def main() -> None:
        with wasmrt.Runtime(cache=cache, max_runs=1, queue=0) as runtime:
            first = await runtime.start_async(wat(SPINS))
            with pytest.raises(wasmrt.BusyError):
                await runtime.run_async(wat(PRINTS), place_within=0)
            waiting = asyncio.ensure_future(runtime.run_async(wat(PRINTS), capture=True))
            started = time.monotonic()
            await asyncio.sleep(0.1)
            assert not waiting.done() and time.monotonic() - started < 5
            first.cancel()
            assert (await waiting).text == "hello\n"

    asyncio.run(main())
