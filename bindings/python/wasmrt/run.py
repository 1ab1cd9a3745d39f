"""Runs that were started: for threads, and for asyncio."""

from __future__ import annotations

import _thread
import contextlib
import json
import time
from typing import TYPE_CHECKING, Any, Optional, Union

from . import _wasmrt, units
from .errors import Error
from .outcome import Outcome, outcome
from .record import Record
from .streams import Streams, opened

if TYPE_CHECKING:
    import asyncio
    import datetime
    from types import TracebackType
    from typing import BinaryIO

__all__ = ["AsyncRun", "Published", "Run"]

# A worker is killed and its end is told; this is only in case that never comes.
_END_WITHIN = 10.0


class Published(Record):
    """A port of this machine that the system chose for a guest."""

    address: str
    """Where the machine listens."""
    port: int
    """On which port."""
    guest_port: int
    """Which port that is to the guest."""
    protocol: str
    """"tcp" or "udp"."""


class _Started:
    """What both kinds of runs have in common: the end, told once and kept."""

    def __init__(self, raw: _wasmrt.Run, streams: Streams) -> None:
        self._raw = raw
        self._streams = streams
        self._outcome: Optional[Outcome] = None
        self._error: Optional[Error] = None

    def cancel(self) -> None:
        """Ends the run. It ends soon, with :class:`~wasmrt.CancelledError`, unless its own end came first. May be called from any thread."""
        self._raw.cancel()

    def fileno(self) -> int:
        """A descriptor that is readable when the run has ended, for event loops. Nothing may be read from it."""
        return self._raw.fileno()

    def _published(self, seconds: Optional[float]) -> Optional[tuple[Published, ...]]:
        ports = self._raw.published(seconds)
        return None if ports is None else tuple(Published(*port) for port in ports)

    def _look(self, seconds: Optional[float]) -> bool:
        """Waits for the end, and keeps it. Whether it has come."""
        if self._outcome is not None or self._error is not None:
            return True
        try:
            told = self._raw.wait(seconds)
        except Error as error:
            self._error = error.with_traceback(None)
            return True
        if told is None:
            return False
        text, stdout, stderr = told
        self._outcome = outcome(json.loads(text), stdout, stderr)
        self._streams.fill(stdout, stderr)
        return True

    def _result(self) -> Outcome:
        if self._error is not None:
            # A copy: one that was raised holds on to whoever raised it, and so to this run and its descriptors.
            again, parts = self._error.__reduce__()
            raise again(*parts)
        assert self._outcome is not None
        return self._outcome

    def _end(self) -> None:
        self._raw.cancel()
        self._look(_END_WITHIN)


class Run(_Started):
    """A run that was started. Usable from any thread. As a context manager it is ended on the way out, if it has not ended."""

    stdin: Optional[BinaryIO]
    """Where the guest's input is written to, if stdin is PIPE. Closing it is the end of the input."""
    stdout: Optional[BinaryIO]
    """Where the guest's output is read from, if stdout is PIPE."""
    stderr: Optional[BinaryIO]
    """As stdout."""

    def __init__(self, raw: _wasmrt.Run, streams: Streams) -> None:
        super().__init__(raw, streams)
        self._lock = _thread.allocate_lock()
        self.stdin, self.stdout, self.stderr = opened((raw.take_stdin(), raw.take_stdout(), raw.take_stderr()))

    def wait(self, timeout: Union[int, float, datetime.timedelta, None] = None) -> Outcome:
        """The outcome, when the run has ended. TimeoutError when it has not within ``timeout``: then it goes on."""
        if timeout is None:
            with self._lock:
                self._look(None)
                return self._result()
        until = time.monotonic() + units.seconds("timeout", timeout)
        if not self._lock.acquire(timeout=max(0.0, min(until - time.monotonic(), _thread.TIMEOUT_MAX))):
            raise TimeoutError("the run has not ended")
        try:
            if self._look(max(0.0, until - time.monotonic())):
                return self._result()
        finally:
            self._lock.release()
        raise TimeoutError("the run has not ended")

    def published(self, timeout: Union[int, float, datetime.timedelta, None] = None) -> tuple[Published, ...]:
        """The ports that the system chose: those that :class:`Network` publishes as port 0. Waits until they are bound, for TimeoutError not longer
        than ``timeout``; a run that ended before that has fewer."""
        ports = self._published(None if timeout is None else units.seconds("timeout", timeout))
        if ports is None:
            raise TimeoutError("the ports are not bound")
        return ports

    def poll(self) -> Optional[Outcome]:
        """The outcome, if the run has ended."""
        try:
            return self.wait(0)
        except TimeoutError:
            return None

    def __enter__(self) -> Run:
        return self

    def __exit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        for file in (self.stdin, self.stdout, self.stderr):
            if file is not None:
                file.close()
        self._raw.cancel()
        with self._lock:
            self._look(_END_WITHIN)


def _tell(news: asyncio.Future[None]) -> None:
    if not news.done():
        news.set_result(None)


class AsyncRun(_Started):
    """A run that was started, for the event loop that it was started in."""

    stdin: Optional[asyncio.StreamWriter] = None
    """Where the guest's input is written to, if stdin is PIPE."""
    stdout: Optional[asyncio.StreamReader] = None
    """Where the guest's output is read from, if stdout is PIPE."""
    stderr: Optional[asyncio.StreamReader] = None
    """As stdout."""

    def __init__(self, raw: _wasmrt.Run, streams: Streams) -> None:
        super().__init__(raw, streams)
        self._ended: Optional[asyncio.Future[None]] = None
        self._hearing: Optional[asyncio.Lock] = None

    async def _open(self) -> None:
        """Makes streams of the pipes."""
        import asyncio

        loop = asyncio.get_running_loop()

        def protocol() -> asyncio.StreamReaderProtocol:
            return asyncio.StreamReaderProtocol(asyncio.StreamReader(loop=loop), loop=loop)

        async def reading(file: Any) -> asyncio.StreamReader:
            reader = asyncio.StreamReader(loop=loop)
            await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader, loop=loop), file)
            return reader

        stdin, stdout, stderr = opened((self._raw.take_stdin(), self._raw.take_stdout(), self._raw.take_stderr()))
        if stdin is not None:
            transport, of_writer = await loop.connect_write_pipe(protocol, stdin)
            self.stdin = asyncio.StreamWriter(transport, of_writer, None, loop)
        if stdout is not None:
            self.stdout = await reading(stdout)
        if stderr is not None:
            self.stderr = await reading(stderr)

    async def wait(self) -> Outcome:
        """The outcome, when the run has ended. Who is cancelled while waiting does not end the run."""
        await self._until_end()
        return self._result()

    async def published(self) -> tuple[Published, ...]:
        """The ports that the system chose: those that :class:`Network` publishes as port 0. Waits until they are bound; a run that ended before that
        has fewer."""
        import asyncio

        if self._hearing is None:
            self._hearing = asyncio.Lock()
        # One at a time: a descriptor has one reader.
        async with self._hearing:
            loop = asyncio.get_running_loop()
            descriptor = self._raw.published_fileno()
            while (ports := self._published(0)) is None:
                assert descriptor is not None
                news: asyncio.Future[None] = loop.create_future()
                loop.add_reader(descriptor, _tell, news)
                try:
                    await news
                finally:
                    loop.remove_reader(descriptor)
            return ports

    async def _until_end(self) -> None:
        import asyncio

        if self._ended is None:
            if self._look(0):
                return
            loop = asyncio.get_running_loop()
            ended: asyncio.Future[None] = loop.create_future()
            descriptor = self.fileno()

            def readable() -> None:
                if self._look(0):
                    loop.remove_reader(descriptor)
                    ended.set_result(None)

            loop.add_reader(descriptor, readable)
            self._ended = ended
        await asyncio.shield(self._ended)

    async def _end_soon(self) -> None:
        import asyncio

        if self.stdin is not None:
            self.stdin.close()
        self._raw.cancel()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._until_end(), _END_WITHIN)

    async def __aenter__(self) -> AsyncRun:
        return self

    async def __aexit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        await self._end_soon()
