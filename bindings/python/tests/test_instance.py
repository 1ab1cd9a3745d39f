"""Instances: calls, values, memory, host functions, limits, life."""

from __future__ import annotations

import gc
import math
import os
import signal
import threading
import time
import weakref
from typing import Any

import pytest
from conftest import COUNTS, ECHOES, PRINTS, WAITS, wat

import wasmrt
from wasmrt import CAPTURE, Imports, Limits


@pytest.fixture
def counts(runtime: wasmrt.Runtime) -> wasmrt.Instance:
    return runtime.instantiate(wat(COUNTS), fuel=10**12, timeout=20)


def test_calls_and_values(counts: wasmrt.Instance) -> None:
    add = counts.exports.add
    assert add(2, 3) == 5 and counts.call("add", 2, 3) == 5 and counts.exports["add"](2, 3) == 5
    assert add(2**31 - 1, 1) == -(2**31) and add(0xFFFFFFFF, 0) == -1 and add(-(2**31), 0) == -(2**31)
    wide = counts.function("wide")
    assert wide(2**64 - 1) == -1 and wide(-(2**63)) == -(2**63) and wide(2**63 - 1) == 2**63 - 1
    assert counts.exports.half(3) == 1.5 and math.isnan(counts.exports.half(math.nan)) and counts.exports.half(-math.inf) == -math.inf
    assert counts.exports.single(0.1) == pytest.approx(0.1, rel=1e-6) and counts.exports.single(0.1) != 0.1
    assert counts.exports.both(1, 2.5) == (2.5, 1)
    assert counts.exports.many(*range(10)) == 9
    assert counts.exports["with space"]() == 5
    assert add.__name__ == "add" and (add.params, add.results) == (["i32", "i32"], ["i32"]) and "(i32, i32) -> i32" in repr(add)
    assert counts.call("grow") == 1 and counts.usage.memory_pages == 2


def test_wrong_calls_are_refused_and_spend_nothing(counts: wasmrt.Instance) -> None:
    add = counts.exports.add
    wrong: list[tuple[Any, ...]] = [(), (1,), (1, 2, 3), ("1", 2), (1.5, 2), (None, 2)]
    for args in wrong:
        with pytest.raises(TypeError, match="add"):
            add(*args)
    for args in ((2**32, 0), (-(2**31) - 1, 0)):
        with pytest.raises(OverflowError):
            add(*args)
    with pytest.raises(OverflowError):
        counts.exports.wide(2**64)
    with pytest.raises(wasmrt.MissingExportError):
        counts.call("missing")
    with pytest.raises(AttributeError, match="there are add"):
        _ = counts.exports.missing
    with pytest.raises(AttributeError):
        counts.exports.add = None
    assert "add" in counts.exports and "missing" not in counts.exports and len(counts.exports) == len(list(counts.exports))
    assert counts.spent is None and add(1, 1) == 2


def test_state_and_reset(counts: wasmrt.Instance) -> None:
    following = counts.exports.next
    assert [following(), following()] == [1, 2]
    counts.memory.write(100, b"data")
    counts.reset()
    assert following() == 1 and counts.memory.read(100, 4) == bytes(4)


def test_a_guest_that_ends_is_spent(counts: wasmrt.Instance) -> None:
    with pytest.raises(wasmrt.TrapError) as caught:
        counts.exports.fail()
    assert isinstance(caught.value.outcome, wasmrt.CallOutcome)
    assert isinstance(caught.value.outcome.status, wasmrt.Trapped) and caught.value.outcome.status.trap.kind == "unreachable"
    assert counts.spent == caught.value.outcome.status
    with pytest.raises(wasmrt.InvalidInputError, match="spent"):
        counts.exports.add(1, 2)
    counts.reset()
    assert counts.exports.add(1, 2) == 3


def test_limits_of_calls(counts: wasmrt.Instance) -> None:
    spin = counts.function("spin")
    with pytest.raises(wasmrt.LimitError) as caught:
        spin.limited(wall_time=0.05)
    assert caught.value.outcome.status == wasmrt.LimitReached("wall-time")
    counts.reset()
    outcome = counts.invoke("spin", fuel=1000)
    assert outcome.status == wasmrt.LimitReached("fuel") and outcome.usage.fuel is not None and outcome.usage.fuel >= 1000
    counts.reset()
    returned = counts.invoke("both", 1, 2.5)
    assert returned.values == (2.5, 1) and returned.status is None and returned.usage.fuel
    with pytest.raises(wasmrt.DeniedError):
        counts.call("add", 1, 2, fuel=2**60)
    with pytest.raises(wasmrt.InvalidInputError):
        counts.call("add", 1, 2, wall_time=-1)
    assert counts.exports.add(1, 2) == 3


def test_memory(counts: wasmrt.Instance) -> None:
    memory = counts.memory
    assert memory.size == len(memory) == 65536
    assert memory.read(16, 3) == b"hi\0" and memory.read_c_string(16) == b"hi" and memory[16] == ord("h") and memory[16:18] == b"hi"
    for data in (b"abc", bytearray(b"abc"), memoryview(b"abc")):
        memory.write(65533, data)
        assert memory[-3:] == b"abc"
        memory.write(65533, bytes(3))
    for offset, length in ((65536, 1), (65535, 2), (2**63, 1), (1, 2**64 - 1)):
        with pytest.raises(wasmrt.InvalidInputError):
            memory.read(offset, length)
    with pytest.raises(wasmrt.InvalidInputError):
        memory.write(65534, b"abc")
    assert memory.read(65534, 2) == bytes(2)
    for wrong in (3, "text", None):
        with pytest.raises(TypeError):
            memory.write(0, wrong)  # type: ignore[arg-type]
    with pytest.raises(OverflowError):
        memory.read(-1, 1)
    with pytest.raises(wasmrt.MissingExportError):
        counts.memory_named("other").read(0, 1)
    memory.write(40, b"x" * 30)
    with pytest.raises(wasmrt.InvalidInputError):
        memory.read_c_string(40, 10)


CALLS_HOST = """
(module
  (import "host" "triple" (func $triple (param i32) (result i32)))
  (import "host" "pair" (func $pair (param i64 f64) (result f64 i64)))
  (import "host" "show" (func $show (param i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 8) "from the guest")
  (func (export "triple") (param i32) (result i32) (call $triple (local.get 0)))
  (func (export "pair") (param i64 f64) (result f64 i64) (call $pair (local.get 0) (local.get 1)))
  (func (export "show") (call $show (i32.const 8) (i32.const 14))))
"""


class Complaint(Exception):
    """An exception of a host function's own."""


def host(seen: list[Any]) -> Imports:
    imports = Imports()

    @imports.function("host")
    def triple(number: int) -> int:
        if number < 0:
            raise Complaint(number)
        return number * 3

    @imports.function("host", "pair", params=["i64", "f64"], results=["f64", "i64"])
    def swapped(number: int, real: float) -> tuple[float, int]:
        return real, number

    @imports.function("host", caller=True)
    def show(caller: wasmrt.Caller, offset: int, length: int) -> None:
        seen.append(caller.memory.read(offset, length))
        caller.memory.write(offset, b"FROM")
        seen.append(caller)

    imports.add("host", "not_imported", print)
    return imports


def test_host_functions(runtime: wasmrt.Runtime) -> None:
    seen: list[Any] = []
    instance = runtime.instantiate(wat(CALLS_HOST), host(seen))
    assert instance.call("triple", 14) == 42
    assert instance.call("pair", 2**62, 0.25) == (0.25, 2**62)
    instance.call("show")
    assert seen[0] == b"from the guest" and instance.memory.read(8, 4) == b"FROM"
    with pytest.raises(wasmrt.InvalidInputError, match="returned"):
        seen[1].memory.read(0, 1)


def test_exceptions_of_host_functions_arrive_as_they_are(runtime: wasmrt.Runtime) -> None:
    instance = runtime.instantiate(wat(CALLS_HOST), host([]))
    with pytest.raises(Complaint) as caught:
        instance.call("triple", -5)
    assert caught.value.args == (-5,)
    assert any(entry.name == "triple" for entry in caught.traceback)
    assert isinstance(instance.spent, wasmrt.Error)
    instance.reset()
    assert instance.call("triple", 5) == 15


def test_wrong_results_of_host_functions_are_refused(runtime: wasmrt.Runtime) -> None:
    for result, cls in (("text", TypeError), (None, TypeError), (2**40, OverflowError), (1.5, TypeError)):
        imports = host([])
        imports._offers[0] = (*imports._offers[0][:3], lambda _, result=result: result, False)
        instance = runtime.instantiate(wat(CALLS_HOST), imports)
        with pytest.raises(cls, match=r"host\.triple"):
            instance.call("triple", 1)
    wrong = Imports()
    wrong.add("host", "triple", print, params=["i64"], results=[])
    with pytest.raises(wasmrt.MissingImportsError):
        runtime.instantiate(wat(CALLS_HOST), wrong)
    with pytest.raises(wasmrt.MissingImportsError):
        runtime.instantiate(wat(CALLS_HOST))
    with pytest.raises(wasmrt.InvalidInputError):
        Imports().add("a", "b", 3)  # type: ignore[arg-type]
    unknown = Imports()
    unknown.add("host", "triple", print, params=["string"])
    with pytest.raises(wasmrt.InvalidInputError, match="string"):
        runtime.instantiate(wat(CALLS_HOST), unknown)


def test_a_host_function_may_use_memory_but_not_call_its_guest(runtime: wasmrt.Runtime) -> None:
    seen: list[Any] = []
    imports = host([])
    instance: wasmrt.Instance
    imports._offers[2] = ("host", "show", None, lambda offset, length: seen.append(instance.memory.read(offset, length)), False)
    imports._offers[0] = ("host", "triple", None, lambda number: instance.call("triple", number), False)
    instance = runtime.instantiate(wat(CALLS_HOST), imports)
    instance.call("show")
    assert seen == [b"from the guest"]
    with pytest.raises(wasmrt.UnsupportedError):
        instance.call("triple", 1)


def test_a_host_function_may_call_another_guest(runtime: wasmrt.Runtime) -> None:
    inner_seen: list[Any] = []
    inner = runtime.instantiate(wat(CALLS_HOST), host(inner_seen))
    imports = host([])

    def show(caller: wasmrt.Caller, offset: int, length: int) -> None:
        inner.call("show")
        # The outer guest's memory is there again.
        caller.memory.write(offset, b"done")

    imports._offers[2] = ("host", "show", None, show, True)
    outer = runtime.instantiate(wat(CALLS_HOST), imports)
    outer.call("show")
    assert inner_seen[0] == b"from the guest" and outer.memory.read(8, 4) == b"done" and inner.memory.read(8, 4) == b"FROM"


def test_a_memory_that_the_guest_imports(runtime: wasmrt.Runtime) -> None:
    imports = Imports()
    imports.memory("env", "memory", 2)
    module = wat('(module (import "env" "memory" (memory 1)) (func (export "size") (result i32) (memory.size)))')
    instance = runtime.instantiate(module, imports)
    assert instance.call("size") == 2 and instance.memory.size == 2 * 65536


def test_wasi_in_an_instance(runtime: wasmrt.Runtime) -> None:
    instance = runtime.instantiate(wat(PRINTS), stdout=CAPTURE, stdin=b"")
    instance.call("_start")
    assert instance.take_stdout() == b"hello\n" and instance.take_stdout() == b"" and instance.take_stderr() is None
    assert instance.usage.output_bytes == 6 and instance.refusals == ()
    echoes = runtime.instantiate(wat(ECHOES), stdout=CAPTURE, stdin=b"input")
    echoes.call("_start")
    assert echoes.take_stdout() == b"input"


def test_start_up_that_ends_makes_a_spent_instance(runtime: wasmrt.Runtime) -> None:
    instance = runtime.instantiate(wat("(module (func $f (unreachable)) (start $f))"))
    assert isinstance(instance.spent, wasmrt.Trapped)


def test_what_cannot_hold_in_process_is_refused_by_name(runtime: wasmrt.Runtime) -> None:
    refused: list[dict[str, Any]] = [{"cpu_time": 1}, {"network": wasmrt.Network(allow=["connect=*"])}, {"isolation": "process"}]
    for options in refused:
        with pytest.raises(wasmrt.UnsupportedError):
            runtime.instantiate(wat(COUNTS), **options)
    with pytest.raises(wasmrt.UnsupportedError):
        runtime.run(wat(PRINTS), isolation="in-process")


def test_threads_take_turns_and_python_goes_on_meanwhile(runtime: wasmrt.Runtime) -> None:
    instance = runtime.instantiate(wat(COUNTS))
    following = instance.exports.next

    def many() -> None:
        for _ in range(2000):
            following()

    threads = [threading.Thread(target=many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert following() == 8001


def test_a_handle_ends_a_call_of_another_thread(runtime: wasmrt.Runtime) -> None:
    instance = runtime.instantiate(wat(COUNTS))
    handle = instance.cancel_handle()
    failed: list[Exception] = []
    running = threading.Event()

    def spin() -> None:
        running.set()
        try:
            instance.call("spin")
        except wasmrt.Error as error:
            failed.append(error)

    thread = threading.Thread(target=spin)
    thread.start()
    running.wait()
    while not handle.cancel():
        time.sleep(0.001)
    thread.join()
    assert isinstance(failed[0], wasmrt.CancelledError)
    assert not handle.cancel()
    instance.reset()
    assert instance.call("add", 1, 1) == 2


def test_ctrl_c_ends_a_call(runtime: wasmrt.Runtime) -> None:
    for module, export in ((COUNTS, "spin"), (WAITS, "_start")):
        reader, writer = os.pipe()
        with open(reader, "rb") as stdin, open(writer, "wb"):
            instance = runtime.instantiate(wat(module), stdin=stdin, timeout=60)
            timer = threading.Timer(0.4, os.kill, (os.getpid(), signal.SIGINT))
            timer.start()
            started = time.monotonic()
            with pytest.raises(KeyboardInterrupt):
                instance.call(export)
            timer.join()
            assert time.monotonic() - started < 30
    # Python has its handler back.
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)


def test_closed_instances_are_given_back(runtime: wasmrt.Runtime) -> None:
    with runtime.instantiate(wat(COUNTS)) as instance:
        add = instance.exports.add
        assert add(1, 1) == 2
    with pytest.raises(wasmrt.InvalidInputError, match="closed"):
        add(1, 1)


def test_cycles_through_host_functions_are_collected(runtime: wasmrt.Runtime) -> None:
    class Owner:
        instance: wasmrt.Instance

        def triple(self, number: int) -> int:
            return number

    owner = Owner()
    imports = host([])
    imports._offers[0] = ("host", "triple", None, owner.triple, False)
    owner.instance = runtime.instantiate(wat(CALLS_HOST), imports)
    assert owner.instance.exports.triple(4) == 4
    gone = weakref.ref(owner)
    del owner, imports
    gc.collect()
    assert gone() is None


def test_memory_of_instances_is_bounded(runtime: wasmrt.Runtime) -> None:
    instance = runtime.instantiate(wat(COUNTS), limits=Limits(memory_bytes=65536))
    assert instance.call("grow") == -1
    with pytest.raises(wasmrt.LimitExceededError):
        runtime.instantiate(wat("(module (memory 2))"), memory=65536)
