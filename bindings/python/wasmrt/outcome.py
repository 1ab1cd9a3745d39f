"""How runs and calls ended, and what they used. Data only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Optional, Union

from .errors import guest_error
from .record import Record

if TYPE_CHECKING:
    import datetime

__all__ = [
    "CallOutcome",
    "CallUsage",
    "EngineCrashed",
    "Exited",
    "Frame",
    "LimitReached",
    "OsSandbox",
    "Outcome",
    "Signaled",
    "Status",
    "Trap",
    "Trapped",
    "Usage",
    "Value",
]

Value = Union[int, float]
"""A value that crosses between host and guest."""


class Frame(Record):
    """One frame of a backtrace."""

    function: int
    """The function's index in the module."""
    name: Optional[str] = None
    """Its name, where the module has names."""
    offset: Optional[int] = None
    """The offset of the instruction in the module, where the engine tells."""
    source: Optional[str] = None
    """Source file and line, where the module has debug information."""


class Trap(Record):
    """A rule of WebAssembly that was broken."""

    kind: str
    """Which one: "unreachable", "memory-out-of-bounds", "integer-divide-by-zero", "stack-overflow" and so on, the same on every engine."""
    detail: str = ""
    """More than the kind says."""
    backtrace: tuple[Frame, ...] = ()
    """Innermost function first. Empty when the engine does not tell."""


class Exited(Record):
    """The entry function returned, or the guest exited."""

    kind: ClassVar[str] = "exited"
    code: int
    """All 32 bits of it; 0 when the function returned."""


class Trapped(Record):
    """It did what WebAssembly forbids."""

    kind: ClassVar[str] = "trapped"
    trap: Trap
    """What, and where."""


class LimitReached(Record):
    """It ran into a limit that ends a guest."""

    kind: ClassVar[str] = "limit-reached"
    limit: str
    """Which one: "wall-time", "cpu-time", "fuel", "output-bytes", "written-bytes", "received-bytes", "sent-bytes" or "memory"."""


class Signaled(Record):
    """A signal ended it."""

    kind: ClassVar[str] = "signaled"
    signal: int
    """Its number."""


class EngineCrashed(Record):
    """The engine died under it; the guest gained nothing by that."""

    kind: ClassVar[str] = "engine-crashed"
    signal: int
    """The signal that the engine died of."""


Status = Union[Exited, Trapped, LimitReached, Signaled, EngineCrashed]
"""How a guest ended."""


class Usage(Record):
    """What a run used. None where it could not be measured, never a made-up zero."""

    wall_time: datetime.timedelta
    cpu_time: datetime.timedelta
    peak_memory_bytes: int
    """Peak resident memory of the worker process, engine included."""
    memory_pages: Optional[int]
    """64 KiB pages over all of the guest's memories."""
    fuel: Optional[int]
    output_bytes: int
    written_bytes: int
    received_bytes: int
    sent_bytes: int
    compile_time: Optional[datetime.timedelta]
    """None when nothing had to be compiled."""


class OsSandbox(Record):
    """What the kernel enforced on the guest's process."""

    landlock: Optional[int]
    """The version of Landlock's rules. None when it did not stand."""
    seccomp: bool
    """Whether system calls were filtered."""


class Outcome(Record):
    """The result of a run that started."""

    status: Status
    """How it ended."""
    usage: Usage
    """What it used."""
    engine: str
    """The engine that ran it."""
    tier: str
    """How: "interpreter", "baseline" or "optimized"."""
    results: tuple[Value, ...]
    """What an invoked export returned."""
    stdout: Optional[bytes]
    """Standard output, when it was captured."""
    stderr: Optional[bytes]
    """Standard error, when it was captured."""
    refusals: tuple[str, ...]
    """What the host refused while it ran: one line each, bounded."""
    os_sandbox: Optional[OsSandbox]
    """What the kernel enforced; None when it had no process of its own."""
    exit_code: int
    """What a process that stands for the guest ends with: the guest's code, 124 for a deadline, 134 for a trap and so on."""
    reason: str
    """How it ended, for people."""

    @property
    def ok(self) -> bool:
        """Whether the guest ended by itself with code 0."""
        return self.status == Exited(0)

    @property
    def text(self) -> str:
        """Standard output as text; what is no UTF-8 shows as replacement characters."""
        return (self.stdout or b"").decode("utf-8", "replace")

    def check(self) -> Outcome:
        """This outcome, if it is :attr:`ok`; else the :class:`~wasmrt.GuestError` that it is."""
        if self.ok:
            return self
        raise guest_error(self)


class CallUsage(Record):
    """What a call used."""

    wall_time: datetime.timedelta
    fuel: Optional[int]
    """None when the instance is not metered."""


class CallOutcome(Record):
    """How a call of an instance ended."""

    values: Any
    """What the function returned: None, one value, or a tuple. None as well when the guest ended."""
    status: Optional[Status]
    """How the guest ended. None when the function returned."""
    usage: CallUsage
    """What the call used."""
    reason: str
    """How it ended, for people."""


def time(parts: Optional[dict[str, int]]) -> Any:
    if parts is None:
        return None
    import datetime

    return datetime.timedelta(seconds=parts["secs"], microseconds=parts["nanos"] / 1000)


def _value(tagged: dict[str, int]) -> Value:
    import struct

    ((name, value),) = tagged.items()
    if name == "f32":
        (number,) = struct.unpack("<f", struct.pack("<I", value))
        return float(number)
    if name == "f64":
        (number,) = struct.unpack("<d", struct.pack("<Q", value))
        return float(number)
    return value


def status(parts: dict[str, Any]) -> Status:
    """A status as the runtime tells it."""
    kind = parts["kind"]
    if kind == "exited":
        return Exited(parts["code"])
    if kind == "trapped":
        trap = parts["trap"]
        frames = tuple(Frame(**frame) for frame in trap.get("backtrace", ()))
        return Trapped(Trap(trap["kind"], trap.get("detail", ""), frames))
    if kind == "limit-reached":
        return LimitReached(parts["limit"])
    if kind == "signaled":
        return Signaled(parts["signal"])
    return EngineCrashed(parts["signal"])


def outcome(parts: dict[str, Any], stdout: Optional[bytes], stderr: Optional[bytes]) -> Outcome:
    """An outcome as the runtime tells it."""
    used = parts["usage"]
    sandbox = parts.get("os_sandbox")
    return Outcome(
        status=status(parts["status"]),
        usage=Usage(
            wall_time=time(used["wall_time"]),
            cpu_time=time(used["cpu_time"]),
            peak_memory_bytes=used["peak_memory_bytes"],
            memory_pages=used["memory_pages"],
            fuel=used["fuel"],
            output_bytes=used["output_bytes"],
            written_bytes=used["written_bytes"],
            received_bytes=used["received_bytes"],
            sent_bytes=used["sent_bytes"],
            compile_time=time(used["compile_time"]),
        ),
        engine=parts["engine"],
        tier=parts["tier"],
        results=tuple(_value(result) for result in parts.get("results", ())),
        stdout=stdout,
        stderr=stderr,
        refusals=tuple(parts.get("refusals", ())),
        os_sandbox=None if sandbox is None else OsSandbox(sandbox["landlock"], sandbox["seccomp"]),
        exit_code=parts["exit_code"],
        reason=parts["reason"],
    )


def call_outcome(values: Any, parts: dict[str, Any]) -> CallOutcome:
    """The outcome of a call as the runtime tells it."""
    ended = parts["status"]
    usage = CallUsage(time(parts["usage"]["wall_time"]), parts["usage"]["fuel"])
    return CallOutcome(values, None if ended is None else status(ended), usage, parts["reason"])
