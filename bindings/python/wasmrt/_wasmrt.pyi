"""The extension module. Callers use the package; of this only CancelHandle, Caller, Function and Memory are met there."""

import os
from collections.abc import Callable, Sequence
from typing import Any, final

VERSION: str

def find_worker() -> os.PathLike[str]: ...
def check_word(field: str, text: str) -> None: ...
def after_fork_in_child() -> None: ...

@final
class Channel:
    def __new__(cls) -> Channel: ...
    def take_sender(self) -> int | None: ...

@final
class Module:
    def __new__(cls, bytes: bytes) -> Module: ...
    @property
    def hash(self) -> str: ...
    @property
    def bytes(self) -> bytes: ...

@final
class Run:
    def wait(self, seconds: float | None = None) -> tuple[str, bytes | None, bytes | None] | None: ...
    def published(self, seconds: float | None = None) -> list[tuple[str, int, int, str]] | None: ...
    def published_fileno(self) -> int | None: ...
    def cancel(self) -> None: ...
    def fileno(self) -> int: ...
    def take_stdin(self) -> int | None: ...
    def take_stdout(self) -> int | None: ...
    def take_stderr(self) -> int | None: ...

@final
class Runtime:
    def __new__(
        cls,
        *,
        cache: bool | str | os.PathLike[str] | None = None,
        cache_bytes: int | None = None,
        ceiling: str | None = None,
        worker: str | os.PathLike[str] | None = None,
        max_runs: int | None = None,
        queue: int | None = None,
    ) -> Runtime: ...
    def start(
        self,
        module: Module,
        spec: str,
        stdin: bytes | None = None,
        streams: Channel | None = None,
        place_within: float | None = None,
    ) -> Run: ...
    def preload(self, module: Module, spec: str) -> None: ...
    def compile(self, module: Module, spec: str) -> str: ...
    def inspect(self, module: Module) -> str: ...
    def engines(self) -> str: ...
    def status(self) -> tuple[int, int, int, int, int | None, int]: ...
    def close(self) -> None: ...

@final
class Instance:
    def __new__(
        cls,
        runtime: Runtime,
        module: Module,
        spec: str,
        stdin: bytes | None = None,
        streams: Channel | None = None,
        offers: Sequence[tuple[str, str, tuple[list[str], list[str]] | None, Callable[..., Any], bool]] = ...,
        memories: Sequence[tuple[str, str, int]] = ...,
    ) -> Instance: ...
    def invoke(self, name: str, *args: float, fuel: int | None = None, wall_time: float | None = None) -> tuple[Any, str]: ...
    @property
    def exports(self) -> str: ...
    @property
    def spent(self) -> str | None: ...
    @property
    def engine(self) -> tuple[str, str]: ...
    @property
    def usage(self) -> tuple[int, int, int]: ...
    @property
    def refusals(self) -> list[str]: ...
    def reset(self) -> None: ...
    def take_stdout(self) -> bytes | None: ...
    def take_stderr(self) -> bytes | None: ...
    def cancel_handle(self) -> CancelHandle: ...
    def close(self) -> None: ...

@final
class CancelHandle:
    """What ends a call of an instance, from any thread."""

    def cancel(self) -> bool:
        """Ends the call that runs. Whether there was one."""

@final
class Function:
    """A function that an instance exports. Its signature is looked up once."""

    def __new__(cls, instance: Instance, name: str) -> Function: ...
    def __call__(self, *args: float) -> Any:
        """Calls it. None, one value, or a tuple. A guest that ends raises its GuestError."""

    def limited(self, *args: float, fuel: int | None = None, wall_time: float | None = None) -> Any:
        """Calls it under limits of this call's own: fuel, and seconds."""

    @property
    def __name__(self) -> str: ...
    @property
    def params(self) -> list[str]:
        """The types of what it takes."""

    @property
    def results(self) -> list[str]:
        """The types of what it returns."""

@final
class Caller:
    """The guest that calls a host function."""

    @property
    def memory(self) -> Memory:
        """Its memory, for as long as the host function runs."""

@final
class Memory:
    """A guest's memory. Every access is checked, and copies."""

    def __new__(cls, instance: Instance, name: str | None = None) -> Memory: ...
    def read(self, offset: int, length: int) -> bytes:
        """`length` bytes from `offset` on."""

    def read_c_string(self, offset: int, limit: int = ...) -> bytes:
        """The bytes from `offset` up to a zero byte, which has to come within `limit` bytes."""

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Writes these bytes from `offset` on, all or none."""

    @property
    def size(self) -> int:
        """Its size in bytes."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int | slice) -> int | bytes: ...
