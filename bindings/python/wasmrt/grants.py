"""What a guest is given beyond its limits: files, the network, an export to call instead of its start. Data only."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, Optional, Union

from .errors import InvalidInputError
from .record import Record

__all__ = ["Invoke", "Network", "Preopen"]


class Preopen(Record):
    """A file or directory of the host under a path of the guest."""

    host: Union[str, os.PathLike[str]]
    """On the host. Relative paths are relative to the current directory."""
    guest: Optional[str] = None
    """Where the guest finds it. None: under the same path."""
    access: str = "rw"
    """"ro": look, and change nothing. "rw": everything."""

    def to_spec(self) -> dict[str, Any]:
        """As a spec has it."""
        host = os.fspath(self.host)
        return {"host": host, "guest": host if self.guest is None else self.guest, "access": self.access}


class Network(Record):
    """What a guest may reach. Without rules it has no network at all."""

    allow: Iterable[str] = ()
    """"connect=HOST[:PORTS]", "connect=ADDRESS/PREFIX[:PORTS]", "listen=ADDRESS:PORT", "resolve=NAME"; with "/tcp" or "/udp" for one of the two only."""
    publish: Iterable[str] = ()
    """Ports of this machine that are the guest's: "[ADDRESS:]PORT:GUEST_PORT[/udp]", or "fd://" for sockets that systemd passed on."""

    def to_spec(self) -> dict[str, Any]:
        """As a spec has it."""
        return {"allow": texts("Network.allow", self.allow), "publish": texts("Network.publish", self.publish)}


class Invoke:
    """An export that is called instead of the module's start, with its arguments: ``Invoke("add", 2, 3)``."""

    __slots__ = ("args", "name")

    def __init__(self, name: str, *args: Union[int, float, str]) -> None:
        self.name = name
        self.args = args

    def __repr__(self) -> str:
        return f"Invoke({', '.join(map(repr, (self.name, *self.args)))})"

    def to_spec(self) -> dict[str, Any]:
        """As a spec has it."""
        return {"invoke": {"name": self.name, "args": [arg if isinstance(arg, str) else repr(arg) for arg in self.args]}}


def texts(name: str, values: Iterable[str]) -> list[str]:
    """Several texts. One alone is a mistake that would come apart into letters."""
    if isinstance(values, (str, bytes)):
        raise InvalidInputError(f"{name} is {values!r}: it takes a list of texts")
    values = list(values)
    for value in values:
        if not isinstance(value, str):
            raise InvalidInputError(f"{name} holds {value!r}: it takes texts")
    return values
