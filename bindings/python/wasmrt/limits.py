"""What bounds a guest, and what bounds those who ask."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Optional

from . import units
from .record import Record
from .units import Count, Duration, Size

__all__ = ["Ceiling", "Limits"]


class Limits(Record):
    """What bounds a run. A limit left out (None) has its default; none at all is spelled out: "unlimited".

    Sizes are bytes or texts such as "64Mi", times seconds, timedeltas or texts such as "1.5s".
    """

    memory_bytes: Optional[Size] = None
    """Sum of all linear memories. Default 512 MiB."""
    table_elements: Optional[Count] = None
    """Sum of all table elements. Default 1 Mi."""
    call_depth: Optional[Count] = None
    """Nested calls. Default 32,768."""
    fuel: Optional[Count] = None
    """Units of fuel, the same on every engine. Default unlimited."""
    cpu_time: Optional[Duration] = None
    """Processor time of the run, user and system. Default unlimited."""
    wall_time: Optional[Duration] = None
    """Wall-clock time of the run. Default unlimited."""
    output_bytes: Optional[Size] = None
    """Sum of what is written to stdout and stderr. Default 64 MiB when one of them is captured, else unlimited."""
    open_files: Optional[Count] = None
    """Files, directories and sockets open at once. Default 256."""
    written_bytes: Optional[Size] = None
    """Sum of what is written to files. Default unlimited."""
    open_sockets: Optional[Count] = None
    """Sockets open at once. Default 128."""
    listen_backlog: Optional[Count] = None
    """Connections that may wait to be accepted. Default 128."""
    received_bytes: Optional[Size] = None
    """Sum of what is received over the network. Default unlimited."""
    sent_bytes: Optional[Size] = None
    """Sum of what is sent over the network. Default unlimited."""
    module_bytes: Optional[Size] = None
    """Size of the module. Default 256 MiB."""
    compile_time: Optional[Duration] = None
    """Wall-clock time of preparing and compiling. Default 120 s."""

    def to_spec(self) -> dict[str, Any]:
        """As a spec has them."""
        spec = {}
        for name in self._fields:
            value = self.__dict__[name]
            if value is not None:
                spec[name] = units.duration(name, value) if name in _TIMES else units.whole(name, value)
        return spec


_TIMES = frozenset(("cpu_time", "wall_time", "compile_time"))


class Ceiling(Record):
    """What no run of a runtime may exceed, whoever asks. Limits left out are not bounded by it."""

    limits: Limits = Limits()
    """Upper bounds; defaults are lowered to them, requests above them are refused."""
    engines: Optional[Iterable[str]] = None
    """The engines that may be used. None: all."""
    preopens: bool = True
    """Whether files and directories may be given."""
    network: bool = True
    """Whether network rules may be given."""

    def to_json_object(self) -> dict[str, Any]:
        """As the runtime takes it."""
        engines = None if self.engines is None else sorted(self.engines)
        return {"limits": self.limits.to_spec(), "engines": engines, "preopens": self.preopens, "network": self.network}
