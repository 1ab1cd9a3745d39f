"""Modules in text form, a cache of the tests' own, and what the machine has."""

from __future__ import annotations

import functools
import os
import pathlib
import signal
import sys
from collections.abc import Iterator

import pytest

import wasmrt

PACKAGE = pathlib.Path(__file__).parents[1]
REPOSITORY = PACKAGE.parents[1]
GUESTS = pathlib.Path(os.environ.get("WASMRT_GUESTS", "/nonexistent"))
sys.path.insert(0, os.fspath(pathlib.Path(__file__).parent))


def is_required(name: str) -> bool:
    """Whether the environment says that this may not be lacking."""
    return name in os.environ.get("WASMRT_REQUIRE", "").split(",")


def lacking(name: str, why: str) -> None:
    """What the machine lacks is a skip, or a failure where it is required."""
    if is_required(name):
        pytest.fail(f"{name} is required here and lacking: {why}")
    pytest.skip(why)


@functools.cache
def wat(text: str) -> bytes:
    """A module from its text form."""
    import wasmtime

    return bytes(wasmtime.wat2wasm(text))


def guest(name: str) -> pathlib.Path:
    """A guest that was built from source."""
    path = GUESTS / name
    if not path.is_file():
        lacking("guests", f"{path} is not built")
    return path


@pytest.fixture(autouse=True)
def interrupts() -> Iterator[None]:
    """Ctrl-C means what it means to a program that was started from a terminal, however the tests were started."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A directory for compiled code that all tests share."""
    return tmp_path_factory.mktemp("cache") / "artifacts"


@pytest.fixture
def runtime(cache: pathlib.Path) -> Iterator[wasmrt.Runtime]:
    """A runtime that is closed when the test is over."""
    with wasmrt.Runtime(cache=cache) as runtime:
        yield runtime


PRINTS = """
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 8) "hello\\n")
  (func (export "_start")
    (i32.store (i32.const 0) (i32.const 8)) (i32.store (i32.const 4) (i32.const 6))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 32)))))
"""
"""Writes a line."""

ECHOES = """
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (loop $more
      (i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const 4096))
      (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
      (if (i32.eqz (i32.load (i32.const 8))) (then (return)))
      (i32.store (i32.const 4) (i32.load (i32.const 8)))
      (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 12)))
      (br $more))))
"""
"""Writes what it reads, until its input ends."""

SPINS = '(module (func (export "_start") (loop $l (br $l))) (func (export "spin") (loop $l (br $l))))'
"""Never ends."""

WAITS = """
(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const 1))
    (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))))
"""
"""Ends when a byte comes, or its input ends."""

EXITS = """
(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (func (export "_start") (call $exit (i32.const 7))))
"""
"""Exits with 7."""

TRAPS = '(module (func $deep (unreachable)) (func (export "_start") (call $deep)))'
"""Traps."""

COUNTS = """
(module
  (global $n (mut i32) (i32.const 0))
  (memory (export "memory") 1 2)
  (data (i32.const 16) "hi\\00")
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "wide") (param i64) (result i64) (local.get 0))
  (func (export "half") (param f64) (result f64) (f64.div (local.get 0) (f64.const 2)))
  (func (export "single") (param f32) (result f32) (local.get 0))
  (func (export "both") (param i32 f64) (result f64 i32) (local.get 1) (local.get 0))
  (func (export "many") (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32) (local.get 9))
  (func (export "next") (result i32)
    (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n))
  (func (export "grow") (result i32) (memory.grow (i32.const 1)))
  (func (export "fail") (unreachable))
  (func (export "spin") (loop $l (br $l)))
  (func (export "with space") (result i32) (i32.const 5)))
"""
"""Functions to be called."""
