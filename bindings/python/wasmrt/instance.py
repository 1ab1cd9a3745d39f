"""Instances: guests in this very process, for calling their exports thousands of times a second."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Callable, Optional, TypeVar, Union

from . import _wasmrt, units
from .errors import Error, InvalidInputError, error_from_json
from .outcome import CallOutcome, Status, Value, call_outcome, status
from .record import Record

if TYPE_CHECKING:
    import datetime
    from types import TracebackType

    from .spec import Spec

__all__ = ["Exports", "Imports", "Instance", "InstanceUsage"]

_Function = TypeVar("_Function", bound=Callable[..., Any])


class Imports:
    """What a guest is offered beside WASI: functions, and memories for it to own.

    A function takes what the module says that it takes, as ints and floats, and returns nothing, one value or a tuple. What it raises ends the guest and
    reaches the caller of the guest as it is. It runs on the thread of the call; a deadline ends the guest when it returns.
    """

    def __init__(self) -> None:
        self._offers: list[tuple[str, str, Optional[tuple[list[str], list[str]]], Callable[..., Any], bool]] = []
        self._memories: list[tuple[str, str, int]] = []

    def function(
        self,
        module: str,
        name: Optional[str] = None,
        *,
        params: Optional[Sequence[str]] = None,
        results: Optional[Sequence[str]] = None,
        caller: bool = False,
    ) -> Callable[[_Function], _Function]:
        """Offers the function below it, by its own name unless another is given.

        ``params`` and ``results`` ("i32", "i64", "f32", "f64") fix its types: a module that imports it with others is refused. Without them they are
        what the module imports. With ``caller=True`` its first argument is the :class:`~wasmrt.Caller`, which has the guest's memory.
        """

        def offer(function: _Function) -> _Function:
            self.add(module, name or function.__name__, function, params=params, results=results, caller=caller)
            return function

        return offer

    def add(
        self,
        module: str,
        name: str,
        function: Callable[..., Any],
        *,
        params: Optional[Sequence[str]] = None,
        results: Optional[Sequence[str]] = None,
        caller: bool = False,
    ) -> None:
        """Offers a function, as :meth:`function` does."""
        if not callable(function):
            raise InvalidInputError(f"{module}.{name} is {function!r}, which cannot be called")
        types = None if params is None and results is None else (list(params or ()), list(results or ()))
        self._offers.append((module, name, types, function, caller))

    def memory(self, module: str, name: str, pages: int = 1) -> None:
        """Offers a memory of at least so many 64 KiB pages, which the guest owns alone and which counts against its limit."""
        self._memories.append((module, name, pages))


class Exports:
    """The functions that an instance exports, as attributes and by name: ``exports.add(2, 3)``, ``exports["add"]``."""

    _raw: _wasmrt.Instance
    _names: tuple[str, ...]

    def __init__(self, raw: _wasmrt.Instance, names: Sequence[str]) -> None:
        self.__dict__["_raw"] = raw
        self.__dict__["_names"] = tuple(names)

    def __getattr__(self, name: str) -> _wasmrt.Function:
        if name.startswith("__") and name not in self._names:
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError as error:
            raise AttributeError(f"the module exports no function {name!r}; there are {', '.join(self._names)}") from error

    def __getitem__(self, name: str) -> _wasmrt.Function:
        if name not in self._names:
            raise KeyError(name)
        function = _wasmrt.Function(self._raw, name)
        # Found by itself from now on.
        if name not in ("_raw", "_names"):
            self.__dict__[name] = function
        return function

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("exports cannot be changed")

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __dir__(self) -> Sequence[str]:
        return self._names


class InstanceUsage(Record):
    """What an instance has used since it was made or reset."""

    memory_pages: int
    """64 KiB pages over all of its memories."""
    output_bytes: int
    written_bytes: int


class Instance:
    """A guest in this process. Used by one thread at a time: others wait. Give it up with ``close``, or use it as a context manager.

    A guest that returns can be called again. One that ended in any other way is *spent*: its memory can be read, and ``reset`` makes a new one.
    """

    __slots__ = ("__weakref__", "_memory", "_raw", "exports", "export_types")

    exports: Exports
    """The functions that it exports."""
    export_types: dict[str, dict[str, Any]]
    """What each export is, functions and others."""

    def __init__(self, runtime: _wasmrt.Runtime, module: _wasmrt.Module, spec: Spec, imports: Optional[Imports]) -> None:
        offers = [] if imports is None else imports._offers
        memories = [] if imports is None else imports._memories
        self._raw = _wasmrt.Instance(runtime, module, spec.json, spec.stdin_bytes, spec.channel, offers, memories)
        self.export_types = {export["name"]: export["type"] for export in json.loads(self._raw.exports)}
        self.exports = Exports(self._raw, [name for name, kind in self.export_types.items() if kind["kind"] == "function"])
        self._memory: Optional[_wasmrt.Memory] = None

    def function(self, name: str) -> _wasmrt.Function:
        """An exported function, to be called often."""
        return _wasmrt.Function(self._raw, name)

    def call(
        self,
        name: str,
        *args: Value,
        fuel: Optional[int] = None,
        wall_time: Union[int, float, datetime.timedelta, None] = None,
    ) -> Any:
        """Calls an export and returns what it returns: None, one value, or a tuple. A guest that ends, also by exiting, raises its GuestError.

        ``fuel`` and ``wall_time`` bound this call, below what the instance's own limits allow.
        """
        seconds = None if wall_time is None else units.seconds("wall_time", wall_time)
        return self.function(name).limited(*args, fuel=fuel, wall_time=seconds)

    def invoke(
        self,
        name: str,
        *args: Value,
        fuel: Optional[int] = None,
        wall_time: Union[int, float, datetime.timedelta, None] = None,
    ) -> CallOutcome:
        """As :meth:`call`, with an outcome: what was returned or how the guest ended, and what the call used."""
        seconds = None if wall_time is None else units.seconds("wall_time", wall_time)
        values, text = self._raw.invoke(name, *args, fuel=fuel, wall_time=seconds)
        return call_outcome(values, json.loads(text))

    @property
    def memory(self) -> _wasmrt.Memory:
        """The memory that the guest exports as "memory", or the one that it imports and owns."""
        if self._memory is None:
            self._memory = _wasmrt.Memory(self._raw)
        return self._memory

    def memory_named(self, name: str) -> _wasmrt.Memory:
        """A memory that the guest exports by this name."""
        return _wasmrt.Memory(self._raw, name)

    def reset(self) -> None:
        """Makes a new guest of the same code: fresh memories and globals, files closed, input from its start, usage at 0."""
        self._raw.reset()

    @property
    def spent(self) -> Union[Status, Error, None]:
        """Why it can only be reset: how its guest ended, or the error that ended it. None when it can be called."""
        text = self._raw.spent
        if text is None:
            return None
        parts = json.loads(text)
        if "status" in parts:
            return status(parts["status"])
        return error_from_json(text, parts["message"])

    @property
    def engine(self) -> str:
        """The engine that runs it."""
        return self._raw.engine[0]

    @property
    def tier(self) -> str:
        """How the engine runs it."""
        return self._raw.engine[1]

    @property
    def usage(self) -> InstanceUsage:
        """What it has used since it was made or reset."""
        return InstanceUsage(*self._raw.usage)

    @property
    def refusals(self) -> tuple[str, ...]:
        """What the host refused the guest: one line each, bounded."""
        return tuple(self._raw.refusals)

    def take_stdout(self) -> Optional[bytes]:
        """What it wrote to a captured standard output since this was last asked. None when it is not captured."""
        return self._raw.take_stdout()

    def take_stderr(self) -> Optional[bytes]:
        """As :meth:`take_stdout`, for standard error."""
        return self._raw.take_stderr()

    def cancel_handle(self) -> _wasmrt.CancelHandle:
        """What ends a call from another thread. Good for as long as the instance, resets included."""
        return self._raw.cancel_handle()

    def close(self) -> None:
        """Gives its memory back. A call that another thread is in goes on to its end."""
        self._raw.close()

    def __enter__(self) -> Instance:
        return self

    def __exit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        self.close()
