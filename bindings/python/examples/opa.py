"""Asks a compiled Open Policy Agent policy for a decision, in this process.

    python opa.py policy.wasm '{"user": "admin"}' ['{"roles": {}}']

``opa build -t wasm -e example/allow policy.rego`` makes the module. It imports a memory and six functions; most built-in functions of Rego are part of
it. Those that the host would have to add are refused by name here.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import wasmrt


class PolicyError(Exception):
    """The policy could not come to a decision."""


class Policy:
    """A policy that was compiled to WebAssembly, by OPA's ABI 1."""

    def __init__(self, module: wasmrt.ModuleLike, **limits: Any) -> None:
        imports = wasmrt.Imports()
        imports.memory("env", "memory", 2)

        @imports.function("env", "opa_abort", caller=True)
        def abort(caller: wasmrt.Caller, message: int) -> None:
            raise PolicyError(caller.memory.read_c_string(message).decode())

        @imports.function("env", "opa_println", caller=True)
        def println(caller: wasmrt.Caller, message: int) -> None:
            print(caller.memory.read_c_string(message).decode(), file=sys.stderr)

        def builtin(number: int, context: int, *args: int) -> int:
            raise PolicyError(f"the policy needs {self.builtins.get(number, number)}, which is not offered here")

        for count in range(5):
            imports.add("env", f"opa_builtin{count}", builtin)

        self.instance = wasmrt.instantiate(module, imports, **limits)
        self.exports, self.memory = self.instance.exports, self.instance.memory
        self.builtins = {number: name for name, number in self._read(self.exports.builtins()).items()}
        self.entrypoints: dict[str, int] = self._read(self.exports.entrypoints())
        self._data = self._write({})
        self._heap = self.exports.opa_heap_ptr_get()

    def set_data(self, data: Any) -> None:
        """What the policy knows beside its input."""
        self._data = self._write(data)
        self._heap = self.exports.opa_heap_ptr_get()

    def evaluate(self, document: Any, entrypoint: str | None = None) -> Any:
        """The policy's results for an input."""
        # What one decision allocates is given back before the next.
        self.exports.opa_heap_ptr_set(self._heap)
        context = self.exports.opa_eval_ctx_new()
        self.exports.opa_eval_ctx_set_input(context, self._write(document))
        self.exports.opa_eval_ctx_set_data(context, self._data)
        if entrypoint is not None:
            self.exports.opa_eval_ctx_set_entrypoint(context, self.entrypoints[entrypoint])
        self.exports.eval(context)
        return self._read(self.exports.opa_eval_ctx_get_result(context))

    def _read(self, value: int) -> Any:
        text = self.memory.read_c_string(self.exports.opa_json_dump(value))
        return json.loads(text)

    def _write(self, document: Any) -> int:
        text = json.dumps(document).encode()
        address = self.exports.opa_malloc(len(text))
        self.memory.write(address, text)
        value: int = self.exports.opa_json_parse(address, len(text))
        if value == 0:
            raise PolicyError("the policy cannot read its input")
        return value


def main() -> None:
    policy = Policy(sys.argv[1], memory="64Mi", timeout=1, fuel=100_000_000)
    if len(sys.argv) > 3:
        policy.set_data(json.loads(sys.argv[3]))
    print(json.dumps(policy.evaluate(json.loads(sys.argv[2]))))


if __name__ == "__main__":
    main()
