"""Modules: bytes, or a file of them, that can be run many times."""

from __future__ import annotations

import os
from typing import Union

from . import _wasmrt
from .errors import NotFoundError, PermissionDeniedError

__all__ = ["Module", "ModuleLike"]


class Module:
    """A module, or a component. Made from bytes, or from the path of a file. Usable from any thread, and with any runtime.

    What it is shows when it is used: nothing is parsed here.
    """

    __slots__ = ("_raw", "name")

    def __init__(self, source: Union[bytes, bytearray, memoryview, str, os.PathLike[str]]) -> None:
        self.name = "module"
        if isinstance(source, (str, os.PathLike)):
            self.name = os.fspath(source)
            source = _read(self.name)
        self._raw = _wasmrt.Module(bytes(source))

    @property
    def hash(self) -> str:
        """The BLAKE3 hash of its bytes, in hexadecimal."""
        return self._raw.hash

    @property
    def size(self) -> int:
        """Its size in bytes."""
        return len(self._raw.bytes)

    def __repr__(self) -> str:
        return f"<wasmrt.Module {self.name} of {self.size} bytes>"

    def __reduce__(self) -> tuple[type[Module], tuple[bytes]]:
        return (Module, (self._raw.bytes,))


ModuleLike = Union[Module, bytes, bytearray, memoryview, str, "os.PathLike[str]"]
"""A module, its bytes, or its path."""


def module_of(source: ModuleLike) -> Module:
    """A module, whatever was given."""
    return source if isinstance(source, Module) else Module(source)


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError as error:
        raise NotFoundError(f"cannot read the module: there is no file {path}") from error
    except PermissionError as error:
        raise PermissionDeniedError(f"cannot read the module {path}: {error.strerror}") from error
