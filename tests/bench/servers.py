"""HTTP servers, over WasmEdge's sockets and as components: requests per second and tail latency beside the wasmedge CLI and `wasmtime serve`,
and what an idle connection costs.

Each server gets the same load in turn, several times; what counts is the best of each, since a neighbour on the machine only ever takes away.
"""

import argparse
import contextlib
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time

from measure import CLI, GUESTS, judged, room, wasmtime_cli

GUEST = str(GUESTS / "rust" / "http-server.wasm")
COMPONENT = str(GUESTS / "rust" / "component-http.wasm")
TARGET = 1.0
IDLE = 1000
PATIENCE = 180


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def answers(port):
    """Whether a server answers there."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
            client.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            return client.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


@contextlib.contextmanager
def serving(argv, env, port):
    """A server in a process group of its own, from its first answer on."""
    server = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        deadline = time.monotonic() + PATIENCE
        while not answers(port):
            if server.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"{' '.join(argv)} does not answer on port {port}")
            time.sleep(0.01)
        yield server
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def load(wrk, port, path, connections, seconds):
    """Requests per second, and the 99th percentile of their latencies in milliseconds."""
    command = [wrk, "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", f"http://127.0.0.1:{port}{path}"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    wrong = re.search(r"Non-2xx or 3xx responses: \d+|Socket errors: .*", text)
    if wrong:
        sys.exit(f"the server failed under load: {wrong.group()}")
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1))
    number, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", text).groups()
    return rate, float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def over_sockets(scratch):
    """Servers that open their own sockets: name, and a function from a port to a command. The last one is the peer."""

    def ours(engine, *more):
        flags = [CLI, "--quiet", "--engine", engine, *more, "--max-sockets", "2000", "--max-files", "2100", "--backlog", "1000"]
        return lambda port: [*flags, "-p", f"127.0.0.1:{port}:8080", GUEST]

    found = [("wasm-run, wasmtime", ours("wasmtime"))]
    wasmedge = shutil.which("wasmedge")
    if wasmedge:
        found.append(("wasm-run, WasmEdge AOT", ours("wasmedge", "--aot", "always")))
        artifact = f"{scratch}/http-server.so"
        subprocess.run([wasmedge, "compile", GUEST, artifact], check=True, stdout=subprocess.DEVNULL)
        found.append(("wasmedge AOT", lambda port: [wasmedge, "--env", f"PORT={port}", "--env", "HOST=127.0.0.1", artifact]))
    return found


def components():
    """Servers that answer with a component, an instance for each request. The last one is the peer."""
    wasmtime = wasmtime_cli()
    return [
        ("wasm-run serve", lambda port: [CLI, "serve", "--access-log", "off", "--addr", f"127.0.0.1:{port}", COMPONENT]),
        ("wasmtime serve", lambda port: [wasmtime, "serve", "-S", "cli", "--addr", f"127.0.0.1:{port}", COMPONENT]),
    ]


def compared(wrk, contenders, options, env):
    """Puts the same load on each of them, and prints. Gives whether a target was missed."""
    missed = False
    for path in ("/health", "/bytes/10000"):
        best = {}
        for _ in range(options.runs):
            for name, command in contenders:
                port = free_port()
                with serving(command(port), env, port):
                    rate, tail = load(wrk, port, path, options.connections, options.seconds)
                known = best.get(name, (0, float("inf")))
                best[name] = (max(rate, known[0]), min(tail, known[1]))
        peer = contenders[-1][0] if len(contenders) > 1 else None
        for name, (rate, tail) in best.items():
            line = f"{path:14} {name:24} {rate:10.0f} requests/s   p99 {tail:8.2f} ms"
            if peer and name != peer:
                met = rate / best[peer][0] >= TARGET
                missed |= not met
                line += f"   ratio {rate / best[peer][0]:5.2f}" + judged(f">= {TARGET:.1f}", met)
            print(line, flush=True)
    return missed


def resident(pid):
    """Resident private bytes of a process and its children."""
    total = 0
    children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True).stdout.split()
    for one in [str(pid), *children]:
        with contextlib.suppress(OSError), open(f"/proc/{one}/smaps_rollup") as file:
            total += sum(int(line.split()[1]) for line in file if line.startswith("Private_"))
    return total * 1024


def idle_cost(command, env):
    """Bytes of the server's processes for each connection that says nothing."""
    port = free_port()
    with serving(command(port), env, port) as server:
        before = resident(server.pid)
        with contextlib.ExitStack() as stack:
            for _ in range(IDLE):
                stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            if not answers(port):
                sys.exit(f"the server does not answer beside {IDLE} idle connections")
            return (resident(server.pid) - before) / IDLE


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="runs of each server")
    parser.add_argument("--seconds", type=int, default=5, help="length of each run")
    parser.add_argument("--connections", type=int, default=16)
    options = parser.parse_args()
    wrk = shutil.which("wrk") or sys.exit("wrk is missing (Debian package wrk)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    with room() as (scratch, env):
        sockets = over_sockets(scratch)
        missed = compared(wrk, sockets, options, env)
        missed |= compared(wrk, components(), options, env)
        for name, command in sockets:
            print(f"{name:24} {idle_cost(command, env) / 1024:8.2f} KiB for each of {IDLE} idle connections", flush=True)
    return missed


if __name__ == "__main__":
    sys.exit(main())
