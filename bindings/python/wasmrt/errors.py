"""What can go wrong: a class for each kind of error, and one for each way in which a guest ends badly.

An :class:`Error` of a kind means that wasmrt, the caller or the machine is at fault: nothing was run, or it was ended from outside. A
:class:`GuestError` means that the guest came to a bad end by itself. It is raised where a value was asked for, and by ``check``; its outcome is attached.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Optional, Union

if TYPE_CHECKING:
    from .outcome import CallOutcome, Outcome

__all__ = [
    "AddressInUseError",
    "BusyError",
    "CancelledError",
    "CompileFailedError",
    "DeniedError",
    "EngineCrashError",
    "EngineUnavailableError",
    "Error",
    "ExitError",
    "GuestError",
    "InternalError",
    "InvalidInputError",
    "InvalidModuleError",
    "LimitError",
    "LimitExceededError",
    "MissingExportError",
    "MissingImportsError",
    "NotFoundError",
    "NotWasmError",
    "PermissionDeniedError",
    "SignalError",
    "TrapError",
    "UnsupportedError",
]


class Error(Exception):
    """Anything that goes wrong.

    ``kind`` is the stable name, ``operation`` what was being done, ``message`` what is wrong, ``context`` the facts, ``hint`` what to do about it,
    and ``causes`` what lies below, outermost first. ``str`` of it is all of that in one line.
    """

    kind: str = ""
    operation: str = ""
    message: str = ""
    hint: Optional[str] = None

    def __init__(self, text: str = "") -> None:
        super().__init__(text)
        self.message = text
        self.context: dict[str, str] = {}
        self.causes: list[str] = []

    def __reduce__(self) -> tuple[Any, ...]:
        return (_again, (type(self), self.args, self.__dict__))


class InvalidInputError(Error, ValueError):
    """What was asked for makes no sense: a malformed size, two preopens of one guest path."""

    kind = "invalid-input"


class NotFoundError(Error, FileNotFoundError):
    """A file that the caller named does not exist."""

    kind = "not-found"


class PermissionDeniedError(Error, PermissionError):
    """The operating system refused: permissions, a read-only file system, a missing privilege."""

    kind = "permission-denied"


class NotWasmError(Error):
    """The bytes are no WebAssembly module: an ELF file, a script, an empty or damaged file."""

    kind = "not-wasm"


class InvalidModuleError(Error):
    """A WebAssembly module that breaks the specification's rules."""

    kind = "invalid-module"


class LimitExceededError(Error):
    """The module, or the run, is above a limit before it has even started."""

    kind = "limit-exceeded"


class MissingImportsError(Error):
    """The module wants functions, memories, tables or globals that nobody offers."""

    kind = "missing-imports"


class MissingExportError(Error):
    """The module does not offer the function that is to be called."""

    kind = "missing-export"


class UnsupportedError(Error):
    """A correct request that this engine, isolation level or machine cannot carry out. Nothing was dropped silently."""

    kind = "unsupported"


class DeniedError(Error):
    """The runtime's ceiling forbids it."""

    kind = "denied"


class EngineUnavailableError(Error):
    """The engine is not on this machine, or not in a version that is known."""

    kind = "engine-unavailable"


class CompileFailedError(Error):
    """Compiling took longer, or more memory, than allowed, or the compiler crashed."""

    kind = "compile-failed"


class AddressInUseError(Error):
    """Another program has the address that is to be listened at."""

    kind = "address-in-use"


class CancelledError(Error):
    """The caller ended it. (Not asyncio's: a task that is cancelled gets that one.)"""

    kind = "cancelled"


class BusyError(Error):
    """As many runs are under way, and wait, as may. Later there is room again."""

    kind = "busy"


class InternalError(Error):
    """wasmrt itself, or the machine below it, failed."""

    kind = "internal"


class GuestError(Error):
    """The guest came to a bad end. ``outcome`` tells everything about it."""

    kind = "guest"

    def __init__(self, text: str, outcome: Union[Outcome, CallOutcome]) -> None:
        super().__init__(text)
        self.outcome = outcome

    def __reduce__(self) -> tuple[Any, ...]:
        return (_again, (type(self), (self.message, self.outcome), self.__dict__))


class ExitError(GuestError):
    """It exited with a code other than 0; a guest that is called, with any."""

    kind = "exited"


class TrapError(GuestError):
    """It trapped."""

    kind = "trapped"


class LimitError(GuestError):
    """It reached a limit."""

    kind = "limit-reached"


class SignalError(GuestError):
    """A signal ended it."""

    kind = "signaled"


class EngineCrashError(GuestError):
    """The engine died under it."""

    kind = "engine-crashed"


def _leaves(root: type[Error]) -> dict[str, type[Error]]:
    return {leaf.kind: leaf for leaf in root.__subclasses__() if leaf is not GuestError}


_BY_KIND = _leaves(Error)
_BY_STATUS = _leaves(GuestError)


def _again(cls: type, args: tuple[Any, ...], state: dict[str, Any]) -> Error:
    error: Error = cls(*args)
    error.__dict__.update(state)
    return error


def error_from_json(text: str, line: str) -> Error:
    """The exception for an error as the runtime tells it. Not for callers."""
    parts = json.loads(text)
    error = _BY_KIND.get(parts["kind"], InternalError)(line)
    error.kind = parts["kind"]
    error.operation = parts.get("operation", "")
    error.message = parts["message"]
    error.context = dict(parts.get("context", ()))
    error.hint = parts.get("hint")
    error.causes = parts.get("causes", [])
    return error


def guest_error_from_json(text: str) -> GuestError:
    """The exception for a call whose guest ended. Not for callers."""
    from .outcome import call_outcome

    return guest_error(call_outcome(None, json.loads(text)))


def guest_error(outcome: Union[Outcome, CallOutcome]) -> GuestError:
    """The exception that an outcome is."""
    kind = "exited" if outcome.status is None else outcome.status.kind
    cls: Any = _BY_STATUS.get(kind, GuestError)
    error: GuestError = cls(f"the guest ended: {outcome.reason}", outcome)
    return error
