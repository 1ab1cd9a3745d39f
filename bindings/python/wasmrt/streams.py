"""Standard streams: what may be given for them, and what a spec and the extension module make of it."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from typing import IO, Any, Final, Optional, Union

from . import _wasmrt, units
from .errors import InvalidInputError

__all__ = ["CAPTURE", "NULL", "PIPE", "Capture", "Stdin", "Stdout"]


class _Word:
    """A word of its own, which equals nothing else."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"wasmrt.{self._name}"

    def __reduce__(self) -> str:
        return self._name


NULL: Final = _Word("NULL")
"""End of file at once, or nowhere."""
PIPE: Final = _Word("PIPE")
"""A pipe whose other end the run has. For ``start`` and ``start_async``."""
CAPTURE: Final = _Word("CAPTURE")
"""Into the outcome."""


class Capture:
    """Into the outcome, and the guest is ended when it writes more than ``cap``."""

    __slots__ = ("cap",)

    def __init__(self, cap: units.Size) -> None:
        self.cap = cap

    def __repr__(self) -> str:
        return f"Capture({self.cap!r})"


Stdin = Union[str, bytes, bytearray, memoryview, "os.PathLike[str]", IO[Any], int, _Word, None]
"""None: the caller's own. A str or bytes: this. A path: this file. A file or a descriptor: that. NULL or PIPE."""
Stdout = Union["os.PathLike[str]", IO[Any], int, Capture, _Word, None]
"""None: the caller's own. A path: this file, made anew. A file or a descriptor: that. CAPTURE, Capture(cap), NULL or PIPE."""


class Streams:
    """The three streams of one run: their part of the spec, and what goes beside it."""

    def __init__(self, stdin: Stdin, stdout: Stdout, stderr: Stdout) -> None:
        self.stdin_bytes: Optional[bytes] = None
        self._given: list[tuple[int, int]] = []
        # Files that have no descriptor get what was captured when the run has ended.
        self._filled: list[tuple[str, Any]] = []
        self.spec: dict[str, Any] = {
            "stdin": self._input(stdin),
            "stdout": self._output("stdout", 1, stdout),
            "stderr": self._output("stderr", 2, stderr),
        }

    def _input(self, stdin: Any) -> Any:
        if stdin is None:
            return "inherit"
        if stdin is NULL:
            return "null"
        if stdin is PIPE:
            return "piped"
        if isinstance(stdin, str):
            self.stdin_bytes = stdin.encode()
        elif isinstance(stdin, (bytes, bytearray, memoryview)):
            self.stdin_bytes = bytes(stdin)
        elif isinstance(stdin, os.PathLike):
            return {"file": os.fspath(stdin)}
        elif isinstance(stdin, _Word):
            raise InvalidInputError(f"stdin cannot be {stdin!r}")
        else:
            descriptor = _descriptor(stdin)
            if descriptor is not None:
                self._given.append((0, descriptor))
                return "piped"
            if not hasattr(stdin, "read"):
                raise InvalidInputError(f"stdin cannot be {stdin!r}: give text, bytes, a path, a file, NULL or PIPE")
            read = stdin.read()
            self.stdin_bytes = read.encode() if isinstance(read, str) else bytes(read)
        return "null"

    def _output(self, name: str, number: int, output: Any) -> Any:
        if output is None:
            return "inherit"
        if output is NULL:
            return "null"
        if output is PIPE:
            return "piped"
        if output is CAPTURE:
            return {"capture": {}}
        if isinstance(output, Capture):
            return {"capture": {"cap": units.whole(f"{name}'s cap", output.cap)}}
        if isinstance(output, os.PathLike):
            return {"file": os.fspath(output)}
        if isinstance(output, (str, bytes)):
            raise InvalidInputError(f"{name} cannot be {output!r}: a file is named by a pathlib.Path")
        descriptor = _descriptor(output)
        if descriptor is not None:
            if hasattr(output, "flush"):
                output.flush()
            self._given.append((number, descriptor))
            return "piped"
        if not hasattr(output, "write"):
            raise InvalidInputError(f"{name} cannot be {output!r}: give a path, a file, CAPTURE, Capture(cap), NULL or PIPE")
        self._filled.append((name, output))
        return {"capture": {}}

    def uses_pipe(self) -> bool:
        """Whether the caller has to do something while the guest runs."""
        given = {number for number, _ in self._given}
        return any(self.spec[name] == "piped" and number not in given for number, name in enumerate(("stdin", "stdout", "stderr")))

    def uses_file_without_descriptor(self) -> bool:
        """Whether something is written when the run has ended."""
        return bool(self._filled)

    def channel(self) -> Optional[_wasmrt.Channel]:
        """The descriptors that were given, on their way."""
        if not self._given:
            return None
        import socket

        channel = _wasmrt.Channel()
        sender = channel.take_sender()
        assert sender is not None
        with socket.socket(fileno=sender) as end:
            socket.send_fds(end, [bytes(number for number, _ in self._given)], [descriptor for _, descriptor in self._given])
        return channel

    def fill(self, stdout: Optional[bytes], stderr: Optional[bytes]) -> None:
        """Writes what was captured to files that have no descriptor."""
        for name, file in self._filled:
            captured = (stdout if name == "stdout" else stderr) or b""
            file.write(captured.decode("utf-8", "replace") if isinstance(file, io.TextIOBase) else captured)


def _descriptor(file: Any) -> Optional[int]:
    if isinstance(file, bool):
        return None
    if isinstance(file, int):
        return file
    try:
        number = file.fileno()
    except (AttributeError, OSError, ValueError):
        return None
    return number if isinstance(number, int) else None


def opened(descriptors: Sequence[Optional[int]]) -> tuple[Any, Any, Any]:
    """Pipes as files: what is written to stdin arrives at once, what is read of the others is buffered."""
    stdin, stdout, stderr = descriptors
    return (
        None if stdin is None else os.fdopen(stdin, "wb", buffering=0),
        None if stdout is None else os.fdopen(stdout, "rb"),
        None if stderr is None else os.fdopen(stderr, "rb"),
    )
