"""From keyword arguments to a run spec. One keyword for each field, and no opinion on any of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Optional, Union

from . import _wasmrt, units
from .errors import InvalidInputError
from .grants import Invoke, Network, Preopen, texts
from .limits import Limits
from .streams import CAPTURE, Stdin, Stdout, Streams

if TYPE_CHECKING:
    import datetime

    from typing_extensions import TypedDict

    class GuestOptions(TypedDict, total=False):
        """What runs and instances have in common. What is left out has the default of the spec."""

        engine: str
        """"auto", "wasmedge", "wasmtime" or "wasmer"."""
        aot: str
        """"auto", "always", "cached" or "never": when to compile ahead; "cached" runs what was compiled before and compiles nothing."""
        optimize: Optional[int]
        """0 to 3: how much to optimise when compiling."""
        args: Iterable[str]
        """The guest's arguments; the first one is its name for itself."""
        env: Mapping[str, str]
        """The guest's environment. Nothing of this process's is in it."""
        inherit_env: Iterable[str]
        """Names of variables of this process that are passed on."""
        preopens: Iterable[Preopen]
        """Files and directories."""
        stdin: Stdin
        stdout: Stdout
        stderr: Stdout
        capture: bool
        """stdout and stderr into the outcome, where nothing else is said of them."""
        network: Network
        """What it may reach."""
        clock: Union[int, datetime.datetime, None]
        """A fixed time (seconds since 1970, or a datetime) instead of the machine's."""
        random_seed: Optional[int]
        """Fixed randomness from this seed instead of the machine's."""
        limits: Optional[Limits]
        """What bounds it."""
        memory: units.Size
        """Short for Limits.memory_bytes."""
        timeout: units.Duration
        """Short for Limits.wall_time."""
        cpu_time: units.Duration
        """Short for Limits.cpu_time."""
        fuel: units.Count
        """Short for Limits.fuel."""

    class SpecOptions(GuestOptions, total=False):
        """What a run is asked for with."""

        isolation: str
        """"process": a process of its own."""
        require_os_sandbox: bool
        """Refuse to run where the kernel lacks a part of the second wall."""
        invoke: Union[str, Invoke, None]
        """An export to call instead of the module's start."""

    class StartOptions(SpecOptions, total=False):
        """What a run is started with."""

        place_within: Union[int, float, datetime.timedelta, None]
        """How long to wait for a place when as many runs are under way and wait as may: 0 refuses at once, None waits."""

    class RunOptions(StartOptions, total=False):
        """What a run is run with."""

        check: bool
        """Raise a GuestError unless the guest ends by itself with code 0."""


_SHORT = {"memory": "memory_bytes", "timeout": "wall_time", "cpu_time": "cpu_time", "fuel": "fuel"}


class Spec:
    """A spec and its streams, ready to be passed on."""

    __slots__ = ("channel", "json", "stdin_bytes", "streams")

    def __init__(self, options: Mapping[str, Any], isolation: str) -> None:
        options = dict(options)
        spec: dict[str, Any] = {"isolation": isolation}
        for name, write in _FIELDS.items():
            if name in options:
                write(spec, options.pop(name))
        limits = _limits(options)
        if limits:
            spec["limits"] = limits
        capture = options.pop("capture", False)
        output = CAPTURE if capture else None
        stdin, stdout, stderr = (options.pop(name, default) for name, default in (("stdin", None), ("stdout", output), ("stderr", output)))
        if options:
            raise TypeError(f"there is no keyword {', '.join(map(repr, options))}; there are {', '.join(keywords())}")
        self.streams = Streams(stdin, stdout, stderr)
        spec["stdio"] = self.streams.spec
        self.json = json.dumps(spec)
        self.stdin_bytes = self.streams.stdin_bytes
        self.channel = self.streams.channel()


def keywords() -> list[str]:
    """Every keyword of a run's spec."""
    return [*_FIELDS, "limits", *_SHORT, "capture", "stdin", "stdout", "stderr"]


def _limits(options: dict[str, Any]) -> dict[str, Any]:
    given = options.pop("limits", None)
    if given is not None and not isinstance(given, Limits):
        raise InvalidInputError(f"limits is {given!r}: it takes wasmrt.Limits(...)")
    spec = {} if given is None else given.to_spec()
    short = {_SHORT[name]: options.pop(name) for name in _SHORT if name in options}
    for name, value in Limits(**short).to_spec().items():
        if name in spec:
            raise InvalidInputError(f"{name} is given twice: in limits and by itself")
        spec[name] = value
    return spec


def _plain(field: str) -> Any:
    def write(spec: dict[str, Any], value: Any) -> None:
        spec[field] = value

    return write


def _word(field: str) -> Any:
    def write(spec: dict[str, Any], value: Any) -> None:
        if not isinstance(value, str):
            raise InvalidInputError(f"{field} is {value!r}: it takes a word")
        if value != spec.get(field):
            _wasmrt.check_word(field, value)
        spec[field] = value

    return write


def _args(spec: dict[str, Any], value: Any) -> None:
    spec["args"] = texts("args", value)


def _env(spec: dict[str, Any], value: Mapping[str, str]) -> None:
    spec.setdefault("env", {})["set"] = dict(value)


def _inherit_env(spec: dict[str, Any], value: Any) -> None:
    spec.setdefault("env", {})["inherit"] = texts("inherit_env", value)


def _preopens(spec: dict[str, Any], value: Any) -> None:
    preopens = [value] if isinstance(value, Preopen) else list(value)
    for preopen in preopens:
        if not isinstance(preopen, Preopen):
            raise InvalidInputError(f"preopens holds {preopen!r}: it takes wasmrt.Preopen(host, guest, access)")
    spec["preopens"] = [preopen.to_spec() for preopen in preopens]


def _network(spec: dict[str, Any], value: Any) -> None:
    if value is not None and not isinstance(value, Network):
        raise InvalidInputError(f"network is {value!r}: it takes wasmrt.Network(allow=[...], publish=[...])")
    if value is not None:
        spec["network"] = value.to_spec()


def _invoke(spec: dict[str, Any], value: Union[str, Invoke, None]) -> None:
    if value is not None:
        spec["entry"] = (Invoke(value) if isinstance(value, str) else value).to_spec()


def _clock(spec: dict[str, Any], value: Union[int, datetime.datetime, None]) -> None:
    if value is not None and not isinstance(value, int):
        value = int(value.timestamp())
    spec["clock"] = "real" if value is None else {"fixed": {"unix_seconds": value}}


def _random_seed(spec: dict[str, Any], value: Optional[int]) -> None:
    spec["random"] = "real" if value is None else {"fixed": {"seed": value}}


_FIELDS: dict[str, Any] = {
    "engine": _word("engine"),
    "isolation": _word("isolation"),
    "require_os_sandbox": _plain("require_os_sandbox"),
    "aot": _word("aot"),
    "optimize": _plain("optimize"),
    "invoke": _invoke,
    "args": _args,
    "env": _env,
    "inherit_env": _inherit_env,
    "preopens": _preopens,
    "network": _network,
    "clock": _clock,
    "random_seed": _random_seed,
}
