"""What the host pays for a guest at its memory limit: the worker's peak, against the limit and the reserve that is promised above it."""

import subprocess
import sys

from measure import CLI, judged, outcome, room

MIB = 1 << 20
# What SECURITY.md states: the reserve, for a guest of a few lines whose tables and stack take nothing.
RESERVE = 256 * MIB
# Takes all that it can get, and writes to each page of it; then to be told -1 a thousand times must cost nothing.
GUEST = """(module (memory (export "memory") 0) (func (export "_start") (local $refused i32)
  (loop $more
    (if (i32.ne (memory.grow (i32.const 1)) (i32.const -1))
      (then
        (i32.store (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 4096)) (i32.const 1))
        (memory.fill (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 65536)) (i32.const 7) (i32.const 65536))
        (br $more)))
    (br_if $more (i32.lt_u (local.tee $refused (i32.add (local.get $refused) (i32.const 1))) (i32.const 1000))))))"""


def main():
    missed = False
    with room() as (scratch, env):
        guest, report = f"{scratch}/guest.wat", f"{scratch}/report.json"
        with open(guest, "w") as file:
            file.write(GUEST)
        for flags in (["--engine", "wasmtime"], ["--engine", "wasmedge", "--aot", "always"], ["--engine", "wasmedge", "--aot", "never"]):
            for limit in (16, 64, 256, 1024):
                argv = [CLI, "--quiet", *flags, "--memory", f"{limit}MiB", "--report", report, guest]
                if subprocess.run(argv, env=env, stdin=subprocess.DEVNULL).returncode != 0:
                    sys.exit(f"{' '.join(argv)} failed")
                usage = outcome(report)["usage"]
                if usage["memory_pages"] != limit * 16:
                    sys.exit(f"the guest got {usage['memory_pages']} pages of {limit * 16}")
                above = usage["peak_memory_bytes"] - limit * MIB
                met = above <= RESERVE
                missed |= not met
                print(
                    f"{' '.join(flags[1:]):28} limit {limit:5} MiB, worker's peak {usage['peak_memory_bytes'] / MIB:8.1f} MiB: {above / MIB:6.1f} MiB above it"
                    f"{judged(f'<= {RESERVE // MIB}', met)}",
                    flush=True,
                )
    return missed


if __name__ == "__main__":
    sys.exit(main())
