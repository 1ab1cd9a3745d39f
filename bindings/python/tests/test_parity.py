"""Every field of a spec has a keyword, and every field of an outcome a place. The lists are the runtime's own."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from conftest import REPOSITORY

import wasmrt
from wasmrt import Limits, spec

MODEL = REPOSITORY / "engine-core/model/src"


def written(options: dict[str, Any]) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(spec.Spec(options, "process").json)
    return parsed


def test_every_field_of_a_spec_can_be_given() -> None:
    schema = json.loads((REPOSITORY / "docs/run-spec.schema.json").read_text())
    limits = {name: "7s" if "time" in name else 7 for name in schema["$defs"]["LimitsSpec"]["properties"]}
    assert set(limits) == set(Limits._fields)
    everything = written(
        {
            "engine": "wasmtime",
            "isolation": "process",
            "require_os_sandbox": True,
            "aot": "never",
            "optimize": 1,
            "invoke": wasmrt.Invoke("f", 1),
            "args": ["a"],
            "env": {"A": "1"},
            "inherit_env": ["B"],
            "preopens": [wasmrt.Preopen("h", "g", "ro")],
            "stdin": wasmrt.NULL,
            "stdout": wasmrt.Capture(9),
            "stderr": wasmrt.CAPTURE,
            "network": wasmrt.Network(["connect=*"], ["80:80"]),
            "clock": 5,
            "random_seed": 6,
            "limits": Limits(**limits),
        }
    )
    assert everything == {
        "engine": "wasmtime",
        "isolation": "process",
        "require_os_sandbox": True,
        "aot": "never",
        "optimize": 1,
        "entry": {"invoke": {"name": "f", "args": ["1"]}},
        "args": ["a"],
        "env": {"set": {"A": "1"}, "inherit": ["B"]},
        "preopens": [{"host": "h", "guest": "g", "access": "ro"}],
        "stdio": {"stdin": "null", "stdout": {"capture": {"cap": 9}}, "stderr": {"capture": {}}},
        "network": {"allow": ["connect=*"], "publish": ["80:80"]},
        "clock": {"fixed": {"unix_seconds": 5}},
        "random": {"fixed": {"seed": 6}},
        "limits": limits,
    }
    assert set(everything) == set(schema["properties"])
    for part, definition in (("env", "Environment"), ("network", "NetworkPolicy"), ("stdio", "Stdio")):
        assert set(everything[part]) == set(schema["$defs"][definition]["properties"])
    assert set(everything["preopens"][0]) == set(schema["$defs"]["Preopen"]["properties"])
    words = {"inherit": None, "null": wasmrt.NULL, "piped": wasmrt.PIPE}
    for stream, definition in (("stdin", "Input"), ("stdout", "Output")):
        for choice in schema["$defs"][definition]["oneOf"]:
            if "const" in choice:
                assert written({stream: words[choice["const"]]})["stdio"][stream] == choice["const"]


def test_the_short_words_mean_limits() -> None:
    short = written({"memory": "1Mi", "timeout": 2, "cpu_time": 1.5, "fuel": 9})
    assert short["limits"] == {"memory_bytes": "1Mi", "wall_time": 2, "cpu_time": "1500000000ns", "fuel": 9}


def fields(file: str, name: str) -> set[str]:
    """The public fields of a struct of the model."""
    source = (MODEL / file).read_text()
    body = re.search(rf"pub struct {name} \{{(.*?)\n\}}", source, re.DOTALL)
    assert body, name
    return set(re.findall(r"^    pub (\w+):", body.group(1), re.MULTILINE))


def test_every_field_of_an_outcome_has_a_place() -> None:
    ours = {cls.__name__: set(cls._fields) for cls in (wasmrt.Outcome, wasmrt.Usage, wasmrt.Trap, wasmrt.Frame)}
    assert ours["Outcome"] - {"exit_code", "reason"} == fields("outcome.rs", "Outcome")
    for name in ("Usage", "Trap", "Frame"):
        assert ours[name] == fields("outcome.rs", name), name
    assert set(wasmrt.OsSandbox._fields) == fields("os_sandbox.rs", "OsSandbox")


def test_every_kind_of_error_and_every_ending_has_a_class() -> None:
    source = (MODEL / "error.rs").read_text()
    names = source[source.index("pub fn as_str") : source.index("/// The process exit code")]
    kinds = set(re.findall(r'=> "([a-z-]+)"', names))
    assert kinds and set(wasmrt.errors._BY_KIND) == kinds
    source = (MODEL / "outcome.rs").read_text()
    body = re.search(r"pub enum ExitStatus \{(.*?)\n\}", source, re.DOTALL)
    assert body
    endings = {re.sub("(?<!^)(?=[A-Z])", "-", name).lower() for name in re.findall(r"^    ([A-Z]\w+)", body.group(1), re.MULTILINE)}
    assert set(wasmrt.errors._BY_STATUS) == endings == {cls.kind for cls in wasmrt.Status.__args__}  # type: ignore[attr-defined]


def test_errors_tell_everything_and_can_be_pickled(runtime: wasmrt.Runtime) -> None:
    import pickle

    told = {"kind": "denied", "operation": "o", "message": "m", "context": [["k", "v"]], "hint": "h", "causes": ["c"]}
    error = wasmrt.errors.error_from_json(json.dumps(told), "line")
    for same in (error, pickle.loads(pickle.dumps(error))):
        assert isinstance(same, wasmrt.DeniedError) and str(same) == "line"
        assert (same.kind, same.operation, same.message, same.context, same.hint, same.causes) == ("denied", "o", "m", {"k": "v"}, "h", ["c"])
    for kind, cls in wasmrt.errors._BY_KIND.items():
        made = wasmrt.errors.error_from_json(json.dumps({"kind": kind, "message": "m"}), "line")
        assert type(made) is cls and str(made) == "line" and type(pickle.loads(pickle.dumps(made))) is cls
    from conftest import EXITS, wat

    with pytest.raises(wasmrt.ExitError) as caught:
        runtime.run(wat(EXITS), check=True)
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.outcome == caught.value.outcome and pickle.loads(pickle.dumps(wasmrt.CAPTURE)) is wasmrt.CAPTURE


def test_records_are_values() -> None:
    assert wasmrt.Exited(7) == wasmrt.Exited(code=7) != wasmrt.Signaled(7) and hash(wasmrt.Exited(7)) == hash(wasmrt.Exited(7))
    limits = Limits(fuel=1).replace(memory_bytes="1Mi")
    assert limits == Limits(memory_bytes="1Mi", fuel=1) and repr(wasmrt.Exited(7)) == "Exited(code=7)"
    with pytest.raises(AttributeError):
        limits.fuel = 2  # type: ignore[misc]
    wrong: list[tuple[tuple[Any, ...], dict[str, Any]]] = [((), {}), ((1, 2), {}), ((1,), {"code": 2}), ((), {"codes": 1})]
    for args, given in wrong:
        with pytest.raises(TypeError):
            wasmrt.Exited(*args, **given)
