"""The examples, and the code blocks of the documentation."""

from __future__ import annotations

import importlib.util
import json
import os
import pathlib
import re
import subprocess
import sys
import textwrap
from types import ModuleType

import pytest
from conftest import COUNTS, ECHOES, EXITS, PACKAGE, PRINTS, REPOSITORY, SPINS, guest, lacking, wat

import wasmrt

POLICY = pathlib.Path(__file__).parent / "opa_policy.wat"


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, PACKAGE / "examples" / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def test_opa(capfd: pytest.CaptureFixture[str], tmp_path: pathlib.Path) -> None:
    opa = example("opa")
    policy = opa.Policy(wat(POLICY.read_text()), memory="16Mi", timeout=5, fuel=10_000_000)
    assert policy.entrypoints == {"example/allow": 0}
    assert policy.evaluate({"user": "admin"}, "example/allow") == [{"result": True}]
    assert capfd.readouterr().err == "an admin came by\n"
    policy.set_data({"x": 1})
    assert policy.evaluate({"user": "guest"}) == [{"result": False}]
    heap = policy.exports.opa_heap_ptr_get()
    for _ in range(100):
        policy.evaluate({"user": "guest"})
    assert policy.exports.opa_heap_ptr_get() == heap
    with pytest.raises(opa.PolicyError, match="no such rule"):
        policy.evaluate("abort")
    policy.instance.reset()
    with pytest.raises(opa.PolicyError, match=re.escape("demo.lookup")):
        policy.evaluate("wants")
    path = tmp_path / "policy.wasm"
    path.write_bytes(wat(POLICY.read_text()))
    done = subprocess.run([sys.executable, PACKAGE / "examples/opa.py", path, '{"user": "admin"}'], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [{"result": True}]


def test_run_script() -> None:
    run_script = example("run_script")
    try:
        run_script.find_python()
    except SystemExit as error:
        lacking("python-wasm", str(error))
    outcome = run_script.run_script("import json, sys; print(json.dumps(sorted(sys.stdin.read().split())))", "b a")
    assert outcome.ok and outcome.text == '["a", "b"]\n' and outcome.usage.memory_pages <= 1024
    assert run_script.run_script("while True: pass").status == wasmrt.LimitReached("cpu-time")
    assert "MemoryError" in run_script.run_script("x = bytearray(80 << 20)").stderr.decode()
    assert not run_script.run_script("open('/etc/passwd')").ok
    assert not run_script.run_script("import socket; socket.create_connection(('127.0.0.1', 80))").ok


BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", [REPOSITORY / "docs/python.md", PACKAGE / "README.md"], ids=lambda page: page.name)
def test_the_code_of_the_documentation_runs(page: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """All blocks of a page, one after the other, in one program, with the modules that they name beside it."""
    hello = guest("c/hello.wasm").read_bytes()
    modules = {"hello": hello, "loop": wat(SPINS), "cat": wat(ECHOES), "exit7": wat(EXITS), "numbers": wat(COUNTS), "print": wat(PRINTS)}
    for name, module in modules.items():
        (tmp_path / f"{name}.wasm").write_bytes(module)
    (tmp_path / "logs.wasm").write_bytes(wat(LOGS))
    (tmp_path / "data").mkdir()
    blocks = BLOCK.findall(page.read_text())
    assert blocks
    program = "\n".join(textwrap.dedent(block) for block in blocks)
    environment = {**os.environ, "WASMRT_CACHE_DIR": os.fspath(tmp_path / "cache")}
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


LOGS = """
(module
  (import "app" "log" (func $log (param i32 i32)))
  (import "app" "price" (func $price (param i32) (result f64)))
  (memory (export "memory") 1)
  (data (i32.const 0) "looking up a price")
  (func (export "total") (param i32 i32) (result f64)
    (call $log (i32.const 0) (i32.const 18))
    (f64.mul (call $price (local.get 0)) (f64.convert_i32_s (local.get 1)))))
"""
