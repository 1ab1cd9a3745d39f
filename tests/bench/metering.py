"""What metering costs: CPU-bound guests with and without it, on each engine, and beside the engines' own.

All variants of a guest are run in turn. What counts is the smallest CPU time of each, because a neighbour on the machine only ever
adds to it; the figure of an engine is the geometric mean over the guests.
"""

import argparse
import math
import shutil
import sys

from measure import CLI, GUESTS, Sample, judged, room, wasmtime_cli

WORKLOADS = ("hash", "json", "matrix", "nbody", "search", "sieve", "sort", "states")
PLENTY = str(10**17)
FREE = ["--call-depth", "unlimited"]
VARIANTS = {"none": FREE, "depth": [], "fuel": [*FREE, "--fuel", PLENTY], "fuel and depth": ["--fuel", PLENTY]}
TARGETS = {
    ("wasmtime", "fuel"): 1.20,
    ("wasmtime", "depth"): 1.05,
    ("wasmedge", "fuel"): 1.15,
    ("wasmedge", "depth"): 1.05,
}
NO_GUEST_ABOVE = 1.5


def smallest(commands, runs, env):
    """The smallest CPU time of each command, run in turn."""
    for argv in commands:
        Sample(argv, env)
    samples = [[Sample(argv, env).cpu for argv in commands] for _ in range(runs)]
    return [min(column) for column in zip(*samples)]


def table(engine, names, rows, targets):
    """Prints the ratios of each guest and their geometric means. Gives whether a target was missed."""
    print(f"\n{engine:20}" + "".join(f"{name:>18}" for name in names))
    for guest, base, ratios in rows:
        print(f"{guest:12}{base * 1000:6.0f}ms" + "".join(f"{ratio:18.3f}" for ratio in ratios))
    missed = False
    for column, name in enumerate(names):
        ratios = [row[2][column] for row in rows]
        mean, worst = math.exp(sum(map(math.log, ratios)) / len(ratios)), max(ratios)
        line = f"{engine}, {name}: geometric mean {mean:.3f}, worst {worst:.3f}"
        target = targets.get((engine, name))
        if target:
            met = mean <= target and worst <= NO_GUEST_ABOVE
            missed |= not met
            line += judged(f"<= {target:.2f}, none above {NO_GUEST_ABOVE}", met)
        print(line, flush=True)
    return missed


def measured(engine, variants, command, runs, env):
    rows = []
    for guest in WORKLOADS:
        base, *others = smallest([command(guest, variant) for variant in variants], runs, env)
        rows.append((guest, base, [other / base for other in others]))
    return table(engine, list(variants)[1:], rows, TARGETS)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7, help="runs of each variant of each guest")
    options = parser.parse_args()
    missed = False
    with room() as (scratch, env):

        def ours(engine):
            prefix = [CLI, "--quiet", "--engine", engine] + (["--aot", "always"] if engine == "wasmedge" else [])
            return lambda guest, variant: [*prefix, *VARIANTS[variant], str(GUESTS / "rust" / f"{guest}.wasm")]

        engines = ["wasmtime"] + (["wasmedge"] if shutil.which("wasmedge") else [])
        for engine in engines:
            missed |= measured(engine, VARIANTS, ours(engine), options.runs, env)

        wasmtime = wasmtime_cli()
        theirs = {"none": [], "its own fuel": ["-W", f"fuel={PLENTY}"]}
        peer = lambda guest, variant: [wasmtime, "run", *theirs[variant], str(GUESTS / "rust" / f"{guest}.wasm")]
        measured("wasmtime run", theirs, peer, max(3, options.runs // 2), env)
    return missed


if __name__ == "__main__":
    sys.exit(main())
