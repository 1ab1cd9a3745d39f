"""The runtime: what starts runs and makes instances, with one cache, one ceiling and one queue."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Optional, Union

from . import _wasmrt, units
from .errors import BusyError, Error, InvalidInputError, error_from_json
from .instance import Imports, Instance
from .limits import Ceiling
from .module import Module, ModuleLike, module_of
from .outcome import Outcome, time
from .record import Record
from .run import AsyncRun, Run
from .spec import Spec

if TYPE_CHECKING:
    import datetime
    from types import TracebackType

    from typing_extensions import Unpack

    from .spec import GuestOptions, RunOptions, SpecOptions, StartOptions

__all__ = ["Compiled", "EngineStatus", "Inspection", "Runtime", "RuntimeStatus", "Verdict"]


class Compiled(Record):
    """What compiling ahead came to."""

    engine: str
    tier: str
    elapsed: Optional[datetime.timedelta]
    """How long it took. None when it was in the cache already."""
    code_bytes: int


class EngineStatus(Record):
    """An engine as it was found on this machine."""

    name: str
    capabilities: Optional[dict[str, Any]]
    """What it can do: its version, its tiers and their features. None when it cannot be had."""
    error: Optional[Error]
    """Why it cannot be had."""


class Verdict(Record):
    """What one engine says to a module."""

    engine: str
    tiers: tuple[str, ...]
    """The tiers that would run it."""
    reason: Optional[str]
    """Why the others would not."""


class Inspection(Record):
    """A module, looked at from outside."""

    bytes: int
    info: dict[str, Any]
    """What it says of itself: imports, exports, memories, tables, the features that it needs."""
    engines: tuple[Verdict, ...]
    auto: Optional[str]
    """The engine that "auto" would take."""
    unresolved: Optional[str]
    """Imports that the host does not offer, as one sentence."""


class RuntimeStatus(Record):
    """What there is of a runtime's runs at one moment."""

    running: int
    queued: int
    max_runs: int
    queue: int
    worker: Optional[int]
    """The process id of wasmrt-worker. None when it has not been started yet, or has died."""
    restarts: int


class Runtime:
    """Starts runs, makes instances. Usable from any thread, and after a fork. Making one costs nothing: processes are started by the first run.

    ``cache``: a directory for compiled code, False for none, True for where the environment says. ``cache_bytes``: what it may take.
    ``ceiling``: what nobody may exceed. ``worker``: the executable wasmrt-worker, where it is not the package's. ``max_runs``, ``queue``: how many
    runs may be under way, and may wait.
    """

    __slots__ = ("_raw", "__weakref__")

    def __init__(
        self,
        *,
        cache: Union[bool, str, os.PathLike[str]] = True,
        cache_bytes: Optional[int] = None,
        ceiling: Optional[Ceiling] = None,
        worker: Union[str, os.PathLike[str], None] = None,
        max_runs: int = 64,
        queue: int = 512,
    ) -> None:
        self._raw = _wasmrt.Runtime(
            cache=cache,
            cache_bytes=cache_bytes,
            ceiling=None if ceiling is None else json.dumps(ceiling.to_json_object()),
            worker=worker,
            max_runs=max_runs,
            queue=queue,
        )

    def run(self, module: ModuleLike, **options: Unpack[RunOptions]) -> Outcome:
        """Runs a module to its end, in a process of its own. Ctrl-C ends it.

        A guest that exits, traps or reaches a limit is an outcome; with ``check=True`` anything but exit code 0 raises its GuestError.
        """
        rest: dict[str, Any] = dict(options)
        check = rest.pop("check", False)
        run = self._start(module, rest, pipes=False)
        try:
            outcome = run.wait()
        except BaseException:
            run._end()
            raise
        return outcome.check() if check else outcome

    def start(self, module: ModuleLike, **options: Unpack[StartOptions]) -> Run:
        """Starts a run. Its streams may be PIPE."""
        return self._start(module, dict(options), pipes=True)

    async def run_async(self, module: ModuleLike, **options: Unpack[RunOptions]) -> Outcome:
        """As :meth:`run`, in an event loop. No thread waits; a task that is cancelled ends the guest."""
        rest: dict[str, Any] = dict(options)
        check = rest.pop("check", False)
        run = await self._start_async(module, rest, pipes=False)
        try:
            outcome = await run.wait()
        except BaseException:
            await run._end_soon()
            raise
        return outcome.check() if check else outcome

    async def start_async(self, module: ModuleLike, **options: Unpack[StartOptions]) -> AsyncRun:
        """As :meth:`start`, in an event loop: pipes are its streams."""
        return await self._start_async(module, dict(options), pipes=True)

    def instantiate(self, module: ModuleLike, imports: Optional[Imports] = None, **options: Unpack[GuestOptions]) -> Instance:
        """Makes an instance in this very process, for calling its exports often."""
        spec = Spec(options, "in-process")
        if spec.streams.uses_file_without_descriptor():
            raise InvalidInputError("an instance writes to files that have a descriptor: take CAPTURE and take_stdout()")
        return Instance(self._raw, module_of(module)._raw, spec, imports)

    def preload(self, module: ModuleLike, **options: Unpack[SpecOptions]) -> None:
        """Makes everything ready that a run with these options needs: engine, native code. Later runs find it."""
        self._raw.preload(module_of(module)._raw, Spec(options, "process").json)

    def compile(self, module: ModuleLike, **options: Unpack[SpecOptions]) -> Compiled:
        """Makes native code and puts it into the cache, for later runs with the same engine and limits."""
        parts = json.loads(self._raw.compile(module_of(module)._raw, Spec(options, "process").json))
        return Compiled(parts["engine"], parts["tier"], time(parts["elapsed"]), parts["code_bytes"])

    def inspect(self, module: ModuleLike) -> Inspection:
        """What a module is, and which engines would run it. It is read in another process."""
        parts = json.loads(self._raw.inspect(module_of(module)._raw))
        engines = tuple(Verdict(verdict["engine"], tuple(verdict["tiers"]), verdict["reason"]) for verdict in parts["engines"])
        return Inspection(parts["bytes"], parts["info"], engines, parts["auto"], parts["unresolved"])

    def engines(self) -> tuple[EngineStatus, ...]:
        """Every engine, with what it can do or why it cannot be had. They are loaded in another process."""

        def status(parts: dict[str, Any]) -> EngineStatus:
            error = error_from_json(json.dumps(parts["error"]), parts["message"]) if "error" in parts else None
            return EngineStatus(parts["name"], parts.get("capabilities"), error)

        return tuple(status(parts) for parts in json.loads(self._raw.engines()))

    def module(self, source: ModuleLike) -> Module:
        """A module, for being run many times."""
        return module_of(source)

    def status(self) -> RuntimeStatus:
        """How many runs there are, and what becomes of them."""
        return RuntimeStatus(*self._raw.status())

    def close(self) -> None:
        """Ends all runs, as cancelled, and starts none any more. Instances stay."""
        self._raw.close()

    def __enter__(self) -> Runtime:
        return self

    def __exit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        self.close()

    def _start(self, module: ModuleLike, options: dict[str, Any], pipes: bool) -> Run:
        within = _place_within(options)
        spec = _spec(options, pipes)
        raw = self._raw.start(module_of(module)._raw, spec.json, spec.stdin_bytes, spec.channel, within)
        return Run(raw, spec.streams)

    async def _start_async(self, module: ModuleLike, options: dict[str, Any], pipes: bool) -> AsyncRun:
        import asyncio

        within = _place_within(options)
        module = module_of(module)
        loop = asyncio.get_running_loop()
        until = None if within is None else loop.time() + within
        pause = 0.001
        while True:
            # What is given by descriptor crosses once, so each try makes its own.
            spec = _spec(options, pipes)
            try:
                raw = self._raw.start(module._raw, spec.json, spec.stdin_bytes, spec.channel, 0.0)
                break
            except BusyError:
                if until is not None and loop.time() >= until:
                    raise
            await asyncio.sleep(pause)
            pause = min(pause * 2, 0.05)
        run = AsyncRun(raw, spec.streams)
        if pipes:
            try:
                await run._open()
            except BaseException:
                run.cancel()
                raise
        return run


def _place_within(options: dict[str, Any]) -> Optional[float]:
    within = options.pop("place_within", None)
    return None if within is None else units.seconds("place_within", within)


def _spec(options: dict[str, Any], pipes: bool) -> Spec:
    spec = Spec(options, "process")
    if not pipes and spec.streams.uses_pipe():
        raise InvalidInputError("run() waits for the end, so nobody would be at the other end of a PIPE: use start()")
    return spec
