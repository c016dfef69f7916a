# SPDX-License-Identifier: MIT
# stall_thread.py NAME SECONDS: hold the first thread of that name for so long, once it has had 10 ms of CPU.
import ctypes, glob, os, sys, time

SEIZE, INTERRUPT, DETACH, WALL = 0x4206, 0x4207, 17, 0x40000000
ptrace = ctypes.CDLL(None, use_errno=True).ptrace
ptrace.argtypes = [ctypes.c_long] * 4


def busy_thread(name):
    for path in glob.glob("/proc/[0-9]*/task/[0-9]*/comm"):
        try:
            if open(path).read().strip() == name and int(open(path[:-4] + "schedstat").read().split()[0]) > 10e6:
                return int(path.split("/")[4])
        except (OSError, IndexError):
            pass


until = time.monotonic() + 60
while not (tid := busy_thread(sys.argv[1])):
    if time.monotonic() > until:
        sys.exit(f"no busy thread {sys.argv[1]}")
    time.sleep(0.01)
if ptrace(SEIZE, tid, 0, 0) or ptrace(INTERRUPT, tid, 0, 0):
    sys.exit(f"ptrace: {os.strerror(ctypes.get_errno())}")
os.waitpid(tid, WALL)
time.sleep(float(sys.argv[2]))
ptrace(DETACH, tid, 0, 0)
