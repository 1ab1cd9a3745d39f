"""What the second wall (Landlock and seccomp) adds to a run: the same run with it, and where the kernel seems to have neither.

For the second kind the benchmark itself installs a filter that answers both system calls as an old kernel would.
"""

import argparse
import ctypes
import os
import platform
import statistics
import struct
import sys

from measure import CLI, GUESTS, Sample, judged, outcome, room

TARGET = 0.001

LANDLOCK_CREATE_RULESET = 444
SECCOMP = {"x86_64": 317, "aarch64": 277}
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
ALLOW, REFUSE_AS_UNKNOWN = 0x7FFF0000, 0x00050000 | 38


def pretend_to_be_an_old_kernel():
    """From here on this process and its children have neither Landlock nor filters of their own."""
    missing = [LANDLOCK_CREATE_RULESET, SECCOMP[platform.machine()]]
    # Load the number of the call; leap to the refusal when it is one of the missing ones.
    code = [(0x20, 0, 0, 0)]
    code += [(0x15, len(missing) - index, 0, number) for index, number in enumerate(missing)]
    code += [(0x06, 0, 0, ALLOW), (0x06, 0, 0, REFUSE_AS_UNKNOWN)]
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in code))
    header = struct.pack("HxxxxxxP", len(code), ctypes.addressof(program))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.c_char_p(header), 0, 0) != 0:
        sys.exit(f"no filter: {os.strerror(ctypes.get_errno())}")


class Runner:
    """A process that runs the command whenever it is asked to, with the wall or without."""

    def __init__(self, argv, env, with_wall):
        asked, self.ask = os.pipe()
        self.answer, answers = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.ask)
            if not with_wall:
                pretend_to_be_an_old_kernel()
            while os.read(asked, 1):
                os.write(answers, struct.pack("d", Sample(argv, env).wall))
            os._exit(0)
        os.close(asked)
        os.close(answers)

    def run(self):
        os.write(self.ask, b"r")
        answer = os.read(self.answer, 8)
        return struct.unpack("d", answer)[0] if len(answer) == 8 else sys.exit("a run failed")

    def end(self):
        os.close(self.ask)
        os.waitpid(self.pid, 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    options = parser.parse_args()
    missed = False
    with room() as (scratch, env):
        for engine in ("wasmtime", "wasmedge"):
            report = f"{scratch}/report.json"
            argv = [CLI, "--quiet", "--engine", engine, "-v", f"{scratch}:/data", "--report", report, str(GUESTS / "c" / "hello.wasm")]
            runners = [Runner(argv, env, with_wall) for with_wall in (True, False)]
            for runner, expected in zip(runners, (True, False)):
                runner.run()
                sandbox = outcome(report)["os_sandbox"]
                if (sandbox["landlock"] is not None, sandbox["seccomp"]) != (expected, expected):
                    sys.exit(f"the wall is not as it is to be: {sandbox}")
            samples = [[runner.run() for runner in runners] for _ in range(options.runs)]
            # The second one holds the first one's pipe too.
            for runner in reversed(runners):
                runner.end()
            there, absent = (statistics.median(side) for side in zip(*samples))
            added = there - absent
            met = added <= TARGET
            missed |= not met
            print(
                f"{engine}: hello with the wall {there * 1000:.2f} ms, without {absent * 1000:.2f} ms: {added * 1000:+.2f} ms"
                f"{judged(f'<= {TARGET * 1000:.0f} ms', met)}",
                flush=True,
            )
    return missed


if __name__ == "__main__":
    sys.exit(main())
