"""wasmrt: one WebAssembly sandbox that behaves the same on every engine.

>>> import wasmrt
>>> outcome = wasmrt.run("app.wasm", capture=True, memory="64Mi", timeout=2)  # doctest: +SKIP
>>> outcome.ok, outcome.text  # doctest: +SKIP
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Optional

from . import _wasmrt
from ._wasmrt import Caller, CancelHandle, Function, Memory
from .errors import *  # noqa: F403
from .errors import __all__ as _errors
from .grants import Invoke, Network, Preopen
from .instance import Exports, Imports, Instance, InstanceUsage
from .limits import Ceiling, Limits
from .module import Module, ModuleLike
from .outcome import *  # noqa: F403
from .outcome import __all__ as _outcomes
from .run import AsyncRun, Published, Run
from .runtime import Compiled, EngineStatus, Inspection, Runtime, RuntimeStatus, Verdict
from .streams import CAPTURE, NULL, PIPE, Capture
from .units import UNLIMITED

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .outcome import Outcome
    from .spec import GuestOptions, RunOptions, StartOptions

__version__: str = _wasmrt.VERSION

__all__ = [
    "CAPTURE",
    "NULL",
    "PIPE",
    "UNLIMITED",
    "AsyncRun",
    "CancelHandle",
    "Caller",
    "Capture",
    "Ceiling",
    "Compiled",
    "EngineStatus",
    "Exports",
    "Function",
    "Imports",
    "Inspection",
    "Instance",
    "InstanceUsage",
    "Invoke",
    "Limits",
    "Memory",
    "Module",
    "ModuleLike",
    "Network",
    "Preopen",
    "Published",
    "Run",
    "Runtime",
    "RuntimeStatus",
    "Verdict",
    "default_runtime",
    "instantiate",
    "run",
    "run_async",
    "start",
    "start_async",
]
__all__ += _errors
__all__ += _outcomes

_default: dict[str, Runtime] = {}


def default_runtime() -> Runtime:
    """The runtime that the functions of this module use: with the cache that the environment names, and no ceiling."""
    # Two threads may both make one; the first to put it in has made the one that is used.
    return _default.get("runtime") or _default.setdefault("runtime", Runtime())


def run(module: ModuleLike, **options: Unpack[RunOptions]) -> Outcome:
    """Runs a module to its end, in a process of its own. See :meth:`Runtime.run`."""
    return default_runtime().run(module, **options)


def start(module: ModuleLike, **options: Unpack[StartOptions]) -> Run:
    """Starts a run. See :meth:`Runtime.start`."""
    return default_runtime().start(module, **options)


async def run_async(module: ModuleLike, **options: Unpack[RunOptions]) -> Outcome:
    """Runs a module to its end, in an event loop. See :meth:`Runtime.run_async`."""
    return await default_runtime().run_async(module, **options)


async def start_async(module: ModuleLike, **options: Unpack[StartOptions]) -> AsyncRun:
    """Starts a run in an event loop. See :meth:`Runtime.start_async`."""
    return await default_runtime().start_async(module, **options)


def instantiate(module: ModuleLike, imports: Optional[Imports] = None, **options: Unpack[GuestOptions]) -> Instance:
    """Makes an instance in this process. See :meth:`Runtime.instantiate`."""
    return default_runtime().instantiate(module, imports, **options)


os.register_at_fork(after_in_child=_wasmrt.after_fork_in_child)
