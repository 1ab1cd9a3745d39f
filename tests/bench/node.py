"""Figures of the Node package: see node.mjs, which this only starts, with an empty cache and the package of this checkout."""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from measure import GUESTS, room

PACKAGE = Path(__file__).resolve().parents[2] / "bindings" / "node"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=40, help="runs of each short program")
    options = parser.parse_args()
    node, wasmedge = shutil.which("node"), shutil.which("wasmedge")
    if not node or not wasmedge:
        sys.exit("node and wasmedge are needed: .ci/setup installs them")
    for built in ("native/wasmrt.node", "node_modules/wabt"):
        if not (PACKAGE / built).exists():
            sys.exit(f"bindings/node/{built} is missing: run npm install there")
    with room() as (_, env):
        env |= {"WASMRT_NODE_PACKAGE": str(PACKAGE), "WASMRT_GUESTS": str(GUESTS), "WASMEDGE": wasmedge}
        return subprocess.run([node, str(Path(__file__).with_suffix(".mjs")), str(options.runs)], env=env).returncode


if __name__ == "__main__":
    sys.exit(main())
