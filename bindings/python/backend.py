"""What pip builds the package with: maturin, after the executable that maturin cannot make.

The worker is built in the target directory of the extension module and with the same features, so that both share the engines, which take
minutes to compile. (Who calls maturin directly has it built by build.rs, which cannot share.)
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Optional

import maturin
from maturin import build_sdist, get_requires_for_build_sdist, prepare_metadata_for_build_editable, prepare_metadata_for_build_wheel

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

HERE = Path(__file__).resolve().parent
WORKER = "WASMRT_WORKER"
Settings = Optional[dict[str, Any]]


def get_requires_for_build_wheel(config_settings: Settings = None) -> list[str]:
    """Nothing from the index: a toolchain that is missing is not fetched behind the user's back."""
    return []


get_requires_for_build_editable = get_requires_for_build_wheel


def build_wheel(wheel_directory: str, config_settings: Settings = None, metadata_directory: Optional[str] = None) -> str:
    """A wheel with the worker in it."""
    with tempfile.TemporaryDirectory() as scratch:
        os.environ.setdefault(WORKER, str(_worker(Path(scratch))))
        return str(maturin.build_wheel(wheel_directory, config_settings, metadata_directory))


def build_editable(wheel_directory: str, config_settings: Settings = None, metadata_directory: Optional[str] = None) -> str:
    """A wheel that refers to this directory, in which the worker then lies."""
    with tempfile.TemporaryDirectory() as scratch:
        os.environ.setdefault(WORKER, str(_worker(Path(scratch))))
        return str(maturin.build_editable(wheel_directory, config_settings, metadata_directory))


def _worker(scratch: Path) -> Path:
    """Builds the worker, unless it is given, and takes a copy without what only debuggers read."""
    if WORKER in os.environ:
        return Path(os.environ[WORKER])
    if shutil.which("cargo") is None:
        sys.exit("wasmrt: building needs Rust, and there is no cargo: see https://rustup.rs")
    command = ["cargo", "build", "--release", "--locked", "--package", "wasmrt-runtime", "--bin", "wasmrt-worker"]
    command += ["--no-default-features", "--features", "wasmedge,wasmtime", "--message-format", "json-render-diagnostics"]
    built = subprocess.run(command, cwd=HERE, stdout=subprocess.PIPE, check=False)
    if built.returncode != 0:
        sys.exit("wasmrt: wasmrt-worker could not be built; what cargo said stands above")
    messages = [json.loads(line) for line in built.stdout.splitlines()]
    [executable] = [message["executable"] for message in messages if message.get("executable")]
    worker = scratch / "wasmrt-worker"
    shutil.copy(executable, worker)
    if shutil.which("strip"):
        subprocess.run(["strip", "--strip-all", str(worker)], check=True)
    return worker
