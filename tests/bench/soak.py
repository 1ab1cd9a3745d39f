"""Many runs in one process, one after the other: what is left behind. Drives the program `soak` of the conformance harness."""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import CLI, GUESTS


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    options = parser.parse_args()
    soak = Path(CLI).with_name("soak")
    failed = False
    for engine in ("wasmtime", "wasmedge"):
        # Its own temporary directory, in which nobody else leaves anything.
        with tempfile.TemporaryDirectory() as scratch:
            env = {**os.environ, "TMPDIR": scratch}
            argv = [soak, engine, str(options.runs), str(GUESTS / "c" / "hello.wasm")]
            failed |= subprocess.run(argv, stdin=subprocess.DEVNULL, env=env).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main())
