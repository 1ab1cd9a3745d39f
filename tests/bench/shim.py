"""A shim without containerd's client: what a container costs once its pod is there. From the request to create it to the first byte that its program
prints, for WebAssembly beside a static Linux program in the same shim, made by the same library; what is left of the difference is the engine's part of
the start. And the memory that each further container of a pod keeps dirty. As root; needs containerd, ctr and a C compiler."""

import contextlib
import fcntl
import json
import os
import signal
import socket
import statistics
import struct
import subprocess
import sys
import time
from pathlib import Path

from containers import GUESTS, SHIM, containerd, dirty
from measure import judged

ROUNDS = 41
FURTHER = 20
NAMESPACE = "shim"
ENGINES = ("wasmtime", "wasmedge")


def field(number, value):
    """A field of a protobuf message: text, bytes, or a number."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def varint(value):
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    return bytes([*encoded, value])


class Shim:
    """A pod's shim, started as containerd does it, and its task service."""

    def __init__(self, scratch, engine):
        self.scratch, self.name, self.pod, self.streams = scratch, scratch / f"bin/containerd-shim-{engine}-v1", f"{engine}-pod", 1
        self.options = field(1, "runtimeoptions.v1.Options") + field(2, field(2, os.environ["WASMRT_BENCH_CONFIG"]))
        self.spec = subprocess.run(["ctr", "oci", "spec"], check=True, capture_output=True, text=True).stdout
        bundle = self.bundle(self.pod, scratch, [])
        # Read for as long as it lives, as containerd does.
        os.mkfifo(bundle / "log")
        self.log = subprocess.Popen(["cat", bundle / "log"], stdout=subprocess.DEVNULL)
        options = {"cwd": bundle, "env": {**os.environ, "TTRPC_ADDRESS": f"{scratch}/containerd.sock.ttrpc"}}
        started = subprocess.run([*self.words(), "start"], input=self.options, capture_output=True, check=True, timeout=60, **options)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(started.stdout.decode().removeprefix("unix://"))

    def words(self):
        return [self.name, "-namespace", NAMESPACE, "-address", f"{self.scratch}/containerd.sock", "-publish-binary", "containerd", "-id", self.pod]

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.call("Shutdown", (1, self.pod))
        else:
            pid, _, _ = struct.unpack("3i", self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            os.kill(pid, signal.SIGKILL)
        self.socket.close()
        self.log.terminate()
        self.log.wait()

    def create(self, container, bundle, stdout=""):
        self.call("Create", (1, container), (2, str(bundle)), (6, str(stdout)), (10, self.options))

    def bundle(self, container, root, args):
        """A bundle of a container with its files below a directory."""
        bundle = self.scratch / "state" / container
        bundle.mkdir()
        spec = json.loads(self.spec)
        spec["root"] = {"path": str(root)}
        spec["process"]["args"] = args
        spec["process"]["terminal"] = False
        spec["linux"]["cgroupsPath"] = f"/{NAMESPACE}/{container}"
        (bundle / "config.json").write_text(json.dumps(spec))
        return bundle

    def call(self, method, *fields):
        """Calls the task service, and waits for its answer."""
        payload = b"".join(field(number, value) for number, value in fields)
        request = field(1, "containerd.task.v2.Task") + field(2, method) + field(3, payload) + field(4, 30 * 10**9)
        self.socket.sendall(struct.pack(">IIBB", len(request), self.streams, 1, 0) + request)
        self.streams += 2
        length, _, kind, _ = struct.unpack(">IIBB", self.read(10))
        answer = self.read(length)
        # A status comes first. One without a word is a success.
        if kind != 2 or (answer[:1] == b"\x0a" and answer[1]):
            sys.exit(f"{method}: {answer!r}")

    def read(self, length):
        data = b""
        while len(data) < length:
            data += self.socket.recv(length - len(data)) or sys.exit("the shim has hung up")
        return data

    def remove(self, container):
        self.call("Kill", (1, container), (3, 9))
        self.call("Wait", (1, container))
        self.call("Delete", (1, container))


@contextlib.contextmanager
def no_groups_left():
    """Removes the control group that those of containers are made in."""
    try:
        yield
    finally:
        root = Path("/sys/fs/cgroup")
        for group in (root / NAMESPACE, *root.glob(f"*/{NAMESPACE}")):
            with contextlib.suppress(OSError):
                group.rmdir()


def root_of(scratch, files):
    """A directory with these programs."""
    root = scratch / "root"
    for directory in ("proc", "sys", "dev", "run"):
        (root / directory).mkdir(parents=True, exist_ok=True)
    for name, content in files:
        (root / name).write_bytes(content)
        (root / name).chmod(0o755)
    return root


def first_byte(shim, bundle, container):
    """Seconds from the request to create a container to the first byte that it prints; and those of them until it was created."""
    out = bundle / "out"
    os.mkfifo(out)
    reader = os.open(out, os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(reader, fcntl.F_SETFL, 0)
    began = time.monotonic()
    shim.create(container, bundle, out)
    created = time.monotonic()
    shim.call("Start", (1, container))
    if os.read(reader, 5) != b"hello":
        sys.exit(f"{container} has not said hello")
    said = time.monotonic()
    os.close(reader)
    shim.call("Wait", (1, container))
    shim.call("Delete", (1, container))
    return said - began, created - began


def measured(scratch, shim, engine, root):
    """What a start takes for either kind of program, and the memory of each further container."""
    times = {"/hello.wasm": [], "/hello": []}
    for number in range(ROUNDS + 2):
        for program, seconds in times.items():
            container = f"{engine}-{number}{program.replace('/', '-')}"
            seconds.append(first_byte(shim, shim.bundle(container, root, [program]), container))
    sleeping = [f"{engine}-sleeping-{number}" for number in range(FURTHER + 1)]
    used = []
    for container in sleeping:
        bundle = shim.bundle(container, root, ["/sleep.wasm", "600000"])
        shim.create(container, bundle)
        shim.call("Start", (1, container))
        if container in (sleeping[0], sleeping[-1]):
            time.sleep(1)
            used.append(dirty(scratch))
    for container in sleeping:
        shim.remove(container)
    medians = {program: [statistics.median(column) * 1e3 for column in zip(*seconds[2:])] for program, seconds in times.items()}
    return medians, (used[1] - used[0]) / FURTHER


def main():
    """Prints the figures."""
    missed = 0
    with containerd() as (scratch, _):
        source = scratch / "hello.c"
        source.write_text('#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n')
        subprocess.run(["cc", "-O2", "-static", source, "-o", scratch / "hello"], check=True)
        programs = (("hello.wasm", GUESTS / "c/hello.wasm"), ("sleep.wasm", GUESTS / "rust/sleep.wasm"), ("hello", scratch / "hello"))
        root = root_of(scratch, [(name, Path(path).read_bytes()) for name, path in programs])
        for engine in ENGINES:
            with no_groups_left(), Shim(scratch, engine) as shim:
                medians, further = measured(scratch, shim, engine, root)
            wasm, native = medians["/hello.wasm"], medians["/hello"]
            print(f"{engine:9} create to first byte {wasm[0]:5.1f} ms (created after {wasm[1]:.1f}), a Linux program in the same shim {native[0]:5.1f} ms (created after {native[1]:.1f})")
            part = wasm[0] - native[0]
            for name, figure, most in ((f"{engine}: ms of the start that are the engine's", part, 10), (f"{engine}: MiB dirty, each further container", further, 2)):
                missed += figure > most
                print(f"{name:50} {figure:6.2f}{judged(f'<= {most}', figure <= most)}")
    return missed


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
