"""Containers: the shim beside runc, in one containerd that is made for this. `ctr run --rm` of a hello, alone and by four clients at once, and the
memory that sleeping containers keep dirty. As root; needs containerd, ctr, runc, busybox and a C compiler for a static hello."""

import concurrent.futures
import contextlib
import hashlib
import io
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from measure import judged, read_anew

GUESTS = Path(os.environ["WASMRT_GUESTS"])
SHIM = Path(os.environ["WASMRT_SHIM"])
ROUNDS = 21
CROWDS = 12
CROWD_SECONDS = 3
SLEEPING = 50
NAMES = ("wasmedge-v1", "wasmtime-v1")
RUNTIMES = {"runc": "io.containerd.runc.v2", "wasmtime": "io.containerd.wasmtime.v1", "wasmedge": "io.containerd.wasmedge.v1"}


def archive(files):
    """A tar archive of these names and contents."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o755
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def image(name, files, entrypoint):
    """An OCI image of one layer."""
    blobs = {}

    def blob(content, media_type):
        digest = hashlib.sha256(content).hexdigest()
        blobs[digest] = content
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}

    layer = archive(files)
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": entrypoint, "Env": ["PATH=/"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": blob(json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json"),
        "layers": [blob(layer, "application/vnd.oci.image.layer.v1.tar")],
    }
    described = blob(json.dumps(manifest).encode(), manifest["mediaType"])
    described["annotations"] = {"io.containerd.image.name": name}
    index = {"schemaVersion": 2, "manifests": [described]}
    contents = [(f"blobs/sha256/{digest}", content) for digest, content in blobs.items()]
    contents += [("index.json", json.dumps(index).encode()), ("oci-layout", b'{"imageLayoutVersion": "1.0.0"}')]
    return archive(contents)


@contextlib.contextmanager
def containerd():
    """A containerd of our own, and a function that calls its ctr."""
    with tempfile.TemporaryDirectory(prefix="wasmrt-bench-") as scratch:
        scratch = Path(scratch)
        (scratch / "bin").mkdir()
        (scratch / "state").mkdir()
        # What is under /run is in memory wherever containerd is installed.
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m,mode=711", "state", scratch / "state"], check=True)
        for name in NAMES:
            (scratch / "bin" / f"containerd-shim-{name}").symlink_to(SHIM)
        socket = scratch / "containerd.sock"
        config = scratch / "config.toml"
        config.write_text(
            f'version = 2\nroot = "{scratch}/root"\nstate = "{scratch}/state"\n'
            'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
            f'[grpc]\naddress = "{socket}"\n[ttrpc]\naddress = "{socket}.ttrpc"\n'
        )
        settings = scratch / "wasmrt.toml"
        settings.write_text(f'cache = "{scratch}/cache"\n')
        os.environ["WASMRT_BENCH_CONFIG"] = str(settings)
        os.environ["WASMRT_BENCH_RUNC"] = str(scratch / "state/runc")
        env = {**os.environ, "PATH": f"{scratch}/bin:{os.environ['PATH']}"}
        with open(scratch / "log", "wb") as log:
            daemon = subprocess.Popen(["containerd", "--config", config], env=env, stdout=log, stderr=log)

        def ctr(*arguments, **options):
            command = ["ctr", "--address", str(socket), *map(str, arguments)]
            return subprocess.run(command, check=options.pop("check", True), capture_output=True, text=True, timeout=60, **options)

        try:
            until = time.monotonic() + 30
            while ctr("version", check=False).returncode:
                if time.monotonic() > until:
                    sys.exit((scratch / "log").read_text())
                time.sleep(0.05)
            yield scratch, ctr
        finally:
            for task in ctr("task", "ls", "-q", check=False).stdout.split():
                ctr("task", "rm", "--force", task, check=False)
            for container in ctr("container", "ls", "-q", check=False).stdout.split():
                ctr("container", "rm", container, check=False)
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(30)
            for line in reversed(Path("/proc/self/mountinfo").read_text().splitlines()):
                place = line.split(" ")[4]
                if place.startswith(f"{scratch}/"):
                    subprocess.run(["umount", "--lazy", place], check=False)


def images(scratch, ctr):
    """One for each runtime: a hello, and something that sleeps."""
    source = scratch / "hello.c"
    source.write_text('#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n')
    subprocess.run(["cc", "-O2", "-static", source, "-o", scratch / "hello"], check=True)
    native = [("hello", (scratch / "hello").read_bytes()), ("busybox", Path(shutil.which("busybox")).read_bytes())]
    wasm = [("hello", (GUESTS / "c/hello.wasm").read_bytes()), ("sleep", (GUESTS / "rust/sleep.wasm").read_bytes())]
    for name, files in (("native", native), ("wasm", wasm)):
        path = scratch / f"{name}.tar"
        path.write_bytes(image(f"bench/{name}:1", files, ["/hello"]))
        ctr("image", "import", path)


def arguments(runtime, sleeping=False):
    """What follows `ctr run` for this runtime."""
    native = runtime == "runc"
    settings = ["--runc-root", os.environ["WASMRT_BENCH_RUNC"]] if native else ["--runtime-config-path", os.environ["WASMRT_BENCH_CONFIG"]]
    options = ["--runtime", RUNTIMES[runtime], *settings, f"bench/{'native' if native else 'wasm'}:1"]
    sleep = ["/busybox", "sleep", "600"] if native else ["/sleep", "600000"]
    return options, sleep if sleeping else []


def one(ctr, runtime, name):
    """Seconds of a `ctr run --rm`."""
    options, _ = arguments(runtime)
    started = time.monotonic()
    ctr("run", "--rm", *options, name)
    return time.monotonic() - started


def crowd(ctr, runtime):
    """Containers a second by four clients."""
    until = time.monotonic() + CROWD_SECONDS

    def client(number):
        count = 0
        while time.monotonic() < until:
            one(ctr, runtime, f"crowd-{number}-{count}-{time.monotonic_ns()}")
            count += 1
        return count

    started = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        total = sum(pool.map(client, range(4)))
    return total / (time.monotonic() - started)


def dirty(scratch):
    """MiB that all shims of ours keep dirty, and all processes below them. What a guest's process is called is the guest's own."""
    parents, shims = {}, set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            line = (process / "cmdline").read_bytes()
            parents[process.name] = (process / "stat").read_text().rpartition(")")[2].split()[1]
            if str(scratch).encode() in line and b"containerd-shim" in line.split(b"\0")[0]:
                shims.add(process.name)

    def is_ours(pid):
        return pid in shims or pid in parents and is_ours(parents[pid])

    total = 0
    for pid in filter(is_ours, parents):
        with contextlib.suppress(OSError):
            rollup = Path("/proc", pid, "smaps_rollup").read_text()
            total += sum(int(row.split()[1]) for row in rollup.splitlines() if row.startswith("Pss_Dirty"))
    return total / 1024


def memory(scratch, ctr, runtime, count):
    """MiB for each of so many sleeping containers, each with a shim of its own."""
    options, sleep = arguments(runtime, sleeping=True)
    names = [f"sleeping-{number}" for number in range(count)]
    for name in names:
        ctr("run", "--detach", *options, name, *sleep, stdin=subprocess.DEVNULL)
    time.sleep(1)
    used = dirty(scratch) / count
    for name in names:
        ctr("task", "rm", "--force", name)
        ctr("container", "rm", name)
    return used


def main():
    """Prints the figures."""
    read_anew(SHIM, *map(shutil.which, ("runc", "containerd-shim-runc-v2")))
    with containerd() as (scratch, ctr):
        images(scratch, ctr)
        times = {runtime: [] for runtime in RUNTIMES}
        for number in range(ROUNDS + 2):
            for runtime, seconds in times.items():
                seconds.append(one(ctr, runtime, f"{runtime}-{number}"))
        medians = {runtime: statistics.median(seconds[2:]) for runtime, seconds in times.items()}
        # In turns: a machine that has made a thousand containers makes the next ones more slowly, whatever their runtime.
        crowds = [{runtime: crowd(ctr, runtime) for runtime in RUNTIMES} for _ in range(CROWDS)]
        rates = {runtime: statistics.median(rates[runtime] for rates in crowds) for runtime in RUNTIMES}
        alone = {runtime: memory(scratch, ctr, runtime, 1) for runtime in RUNTIMES}
        many = {runtime: memory(scratch, ctr, runtime, SLEEPING) for runtime in RUNTIMES}
    for runtime in RUNTIMES:
        print(
            f"{runtime:9} ctr run --rm {medians[runtime] * 1e3:6.0f} ms {medians[runtime] / medians['runc']:5.2f}x"
            f"   four clients {rates[runtime]:5.1f}/s {rates[runtime] / rates['runc']:5.2f}x"
            f"   dirty alone {alone[runtime]:5.1f} MiB, each of {SLEEPING} {many[runtime]:5.1f} MiB"
        )
    goals = {"wasmtime": (6, 3), "wasmedge": (13, 11)}
    missed = 0
    for runtime, (most_alone, most_of_many) in goals.items():
        figures = [
            (f"{runtime}: ctr run --rm beside runc", medians[runtime] / medians["runc"], "<= 0.75", lambda x: x <= 0.75),
            (f"{runtime}: containers a second beside runc", rates[runtime] / rates["runc"], ">= 1.80", lambda x: x >= 1.8),
            (f"{runtime}: MiB dirty, one container", alone[runtime], f"<= {most_alone}", lambda x, most=most_alone: x <= most),
            (f"{runtime}: MiB dirty, each of {SLEEPING}", many[runtime], f"<= {most_of_many}", lambda x, most=most_of_many: x <= most),
        ]
        for name, figure, target, met in figures:
            missed += not met(figure)
            print(f"{name:50} {figure:6.2f}{judged(target, met(figure))}")
    return missed


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
