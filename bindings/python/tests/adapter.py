"""Runs one case of the conformance suite by way of the package, and leaves what came of it as JSON.

    adapter.py DIRECTORY MODULE TIMES

``DIRECTORY/spec.json`` is the case's spec. Here it is taken apart into keywords, and the outcome is put together from the package's own: a field that the
package loses on either way is missing in the report. The report is ``DIRECTORY/report.json``; captured streams lie beside it.
"""

from __future__ import annotations

import datetime
import json
import os
import pathlib
import struct
import sys
from typing import Any

import wasmrt


def stream(value: Any) -> Any:
    """A standard stream of a spec as the keyword takes it."""
    if value == "inherit":
        return None
    if value == "null":
        return wasmrt.NULL
    if value == "piped":
        return wasmrt.PIPE
    ((kind, inner),) = value.items()
    if kind == "bytes":
        return inner.encode("utf-8")
    if kind == "file":
        return pathlib.Path(inner)
    cap = inner.get("cap")
    return wasmrt.CAPTURE if cap is None else wasmrt.Capture(cap)


def keywords(spec: dict[str, Any]) -> dict[str, Any]:
    """A spec as keywords."""
    spec = dict(spec)
    options: dict[str, Any] = {}
    for name in ("engine", "isolation", "require_os_sandbox", "aot", "optimize", "args"):
        if name in spec:
            options[name] = spec.pop(name)
    entry = spec.pop("entry", "start")
    if entry != "start":
        options["invoke"] = wasmrt.Invoke(entry["invoke"]["name"], *entry["invoke"].get("args", ()))
    env = spec.pop("env", {})
    options["env"], options["inherit_env"] = env.get("set", {}), env.get("inherit", ())
    options["preopens"] = [wasmrt.Preopen(**preopen) for preopen in spec.pop("preopens", ())]
    options["network"] = wasmrt.Network(**spec.pop("network", {}))
    clock, random = spec.pop("clock", "real"), spec.pop("random", "real")
    options["clock"] = None if clock == "real" else clock["fixed"]["unix_seconds"]
    options["random_seed"] = None if random == "real" else random["fixed"]["seed"]
    options["limits"] = wasmrt.Limits(**spec.pop("limits", {}))
    for name, value in spec.pop("stdio", {}).items():
        options[name] = stream(value)
    if spec:
        raise SystemExit(f"the package has no words for {sorted(spec)}")
    return options


def time(value: datetime.timedelta | None) -> Any:
    """A duration as reports have it."""
    if value is None:
        return None
    microseconds = value // datetime.timedelta(microseconds=1)
    return {"secs": microseconds // 10**6, "nanos": microseconds % 10**6 * 1000}


def status(value: wasmrt.Status) -> dict[str, Any]:
    """A status as reports have it."""
    if isinstance(value, wasmrt.Exited):
        return {"kind": value.kind, "code": value.code}
    if isinstance(value, wasmrt.Trapped):
        frames = [dict(vars(frame)) for frame in value.trap.backtrace]
        return {"kind": value.kind, "trap": {"kind": value.trap.kind, "detail": value.trap.detail, "backtrace": frames}}
    if isinstance(value, wasmrt.LimitReached):
        return {"kind": value.kind, "limit": value.limit}
    return {"kind": value.kind, "signal": value.signal}


def tagged(types: list[str], values: tuple[Any, ...]) -> list[dict[str, int]]:
    """Results as reports have them: with their types, floats as bits."""

    def bits(kind: str, value: Any) -> int:
        if kind == "f32":
            return int(struct.unpack("<I", struct.pack("<f", value))[0])
        return int(struct.unpack("<Q", struct.pack("<d", value))[0]) if kind == "f64" else value

    return [{kind: bits(kind, value)} for kind, value in zip(types, values)]


def report(runtime: wasmrt.Runtime, module: wasmrt.Module, options: dict[str, Any], outcome: wasmrt.Outcome) -> dict[str, Any]:
    """An outcome as reports have it."""
    types: list[str] = []
    if outcome.results:
        exports = {export["name"]: export["type"] for export in runtime.inspect(module).info["exports"]}
        types = exports[options["invoke"].name]["results"]
    used = dict(vars(outcome.usage))
    for name in ("wall_time", "cpu_time", "compile_time"):
        used[name] = time(used[name])
    told: dict[str, Any] = {
        "status": status(outcome.status),
        "usage": used,
        "engine": outcome.engine,
        "tier": outcome.tier,
        "results": tagged(types, outcome.results),
        "refusals": list(outcome.refusals),
        "os_sandbox": None if outcome.os_sandbox is None else dict(vars(outcome.os_sandbox)),
    }
    for name, captured in (("stdout", outcome.stdout), ("stderr", outcome.stderr)):
        if captured is not None:
            told[name] = {"bytes": ""}
    return told


def main() -> None:
    directory, module_path, times = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    spec = json.loads((directory / "spec.json").read_text())
    runtime = wasmrt.Runtime()
    counts = []
    for _ in range(times):
        try:
            module = wasmrt.Module(module_path)
            options = keywords(spec)
            outcome = runtime.run(module, **options)
            for name, captured in (("stdout", outcome.stdout), ("stderr", outcome.stderr)):
                if captured is not None:
                    (directory / name).write_bytes(captured)
            told: dict[str, Any] = {"outcome": report(runtime, module, options, outcome)}
        except wasmrt.Error as error:
            told = {"error": {"kind": error.kind, "message": str(error)}}
        (directory / "report.json").write_text(json.dumps(told))
        counts.append(len(os.listdir("/proc/self/fd")))
        del module
    half = (len(counts) + 1) // 2
    if counts[half:] and min(counts[half:]) > min(counts[:half]):
        raise SystemExit(f"runs leak descriptors: {counts} were open after each")
    runtime.close()
    children = pathlib.Path("/proc/thread-self/children").read_text().split()
    if children:
        raise SystemExit(f"runs left processes behind: {children}")


if __name__ == "__main__":
    main()
