#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A vhost-user front-end that means no good.

    hostile_front.py SOCKET PID storm N   N connections that break every rule; files and memory of PID stay flat
    hostile_front.py SOCKET PID cut       a good front-end that cuts its memory file while the back-end uses it
    hostile_front.py SOCKET PID hold      a front-end whose call is full and waits: frames go out all the same
    hostile_front.py SOCKET PID good      a good front-end: one frame goes out and is used up
"""
import mmap, os, random, select, socket, struct, sys, time

SET_FEATURES, SET_OWNER, MEM, NUM, ADDR, BASE, KICK, CALL = 2, 3, 5, 8, 9, 10, 12, 13
GET_FEATURES, GET_PROTOCOL, SET_PROTOCOL, GET_INFLIGHT, SET_INFLIGHT, ADD_MEM = 1, 15, 16, 31, 32, 37
V1, SIZE, USER, MEM_SIZE = 1 << 32, 64, 0x10000000, 1 << 20
path, pid, what = sys.argv[1], int(sys.argv[2]), sys.argv[3]


def connect():
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)  # waits while the listener's queue is full
    s.settimeout(10)
    return s


def header(request, size, flags=1):
    return struct.pack("<III", request, flags, size)


def send(s, request, payload=b"", fds=(), flags=1):
    data = header(request, len(payload), flags) + payload
    socket.send_fds(s, [data], list(fds)) if fds else s.sendall(data)


def u64(v):
    return struct.pack("<Q", v)


def region(gpa=0, size=MEM_SIZE, user=USER, offset=0):
    return struct.pack("<QQQQ", gpa, size, user, offset)


def table(*regions):
    return struct.pack("<II", len(regions), 0) + b"".join(regions)


class Guest:
    """One ring with one frame to transmit in it, or with DISK=1 set one request."""

    def __init__(self, s):
        self.fd = os.memfd_create("guest")
        os.ftruncate(self.fd, MEM_SIZE)
        self.mem = mmap.mmap(self.fd, MEM_SIZE)
        self.idle, self.kick, self.call = os.eventfd(0), os.eventfd(0), os.eventfd(0, os.EFD_NONBLOCK)
        if os.environ.get("DISK"):  # a flush: header and status
            self.mem[0x8000:0x8010] = struct.pack("<IIQ", 4, 0, 0)
            self.mem[0:32] = struct.pack("<QIHH", 0x8000, 16, 1, 1) + struct.pack("<QIHH", 0x8010, 1, 2, 0)
        else:
            self.mem[0x8000:0x8000 + 72] = bytes(12) + b"\xff" * 6 + bytes(54)
            self.mem[0:16] = struct.pack("<QIHH", 0x8000, 72, 0, 0)
        send(s, SET_OWNER)
        send(s, SET_FEATURES, u64(V1))
        send(s, MEM, table(region()), [self.fd])
        for ring, at in ((0, 0x4000), (1, 0)):
            send(s, NUM, struct.pack("<II", ring, SIZE))
            send(s, BASE, struct.pack("<II", ring, 0))
            send(s, ADDR, struct.pack("<IIQQQQ", ring, 0, USER + at, USER + at + 0x2000, USER + at + 0x1000, 0))
            send(s, CALL, u64(ring), [self.call])
            send(s, KICK, u64(ring), [self.kick if ring else self.idle])
        send(s, GET_FEATURES)  # its answer says that all before was done
        s.recv(20)

    def send_frame(self, n):
        self.mem[0x1000 + 4 + n % SIZE * 2:0x1000 + 6 + n % SIZE * 2] = struct.pack("<H", 0)
        self.mem[0x1002:0x1004] = struct.pack("<H", n + 1)
        os.eventfd_write(self.kick, 1)

    def used(self):
        return struct.unpack("<H", self.mem[0x2002:0x2004])[0]

    def close(self):
        for fd in (self.fd, self.idle, self.kick, self.call):
            os.close(fd)


def good():
    s = connect()
    g = Guest(s)
    g.send_frame(0)
    end = time.time() + 10
    while g.used() != 1 and time.time() < end:
        time.sleep(0.01)
    assert g.used() == 1, "the frame was not taken"
    g.close()
    s.close()


def cut():
    s = connect()
    g = Guest(s)
    g.send_frame(0)
    time.sleep(0.2)
    os.ftruncate(g.fd, 0)
    os.eventfd_write(g.kick, 1)
    s.settimeout(10)
    assert s.recv(1) == b"", "the back-end did not hang up"
    s.close()


def hold():
    s = connect()
    g = Guest(s)
    os.set_blocking(g.call, True)
    os.eventfd_write(g.call, 2**64 - 2)
    end = time.time() + 10
    for n in range(20):
        g.send_frame(n)
        while g.used() != n + 1 and time.time() < end:
            time.sleep(0.001)
    assert g.used() == 20, f"it stands still after {g.used()} frames"
    if os.fork() == 0:  # and it is still there when the back-end is told to end
        for fd in (1, 2):
            os.close(fd)
        s.settimeout(60)
        s.recv(1)


def evil(s, memfd, null):
    """One of the ways to be no good."""
    n = random.randrange(17)
    small = os.memfd_create("small")
    os.ftruncate(small, 4096)
    fds = [memfd] * 16
    match n:
        case 0: s.sendall(os.urandom(random.randrange(1, 300)))
        case 1: s.sendall(header(GET_FEATURES, 0)[:random.randrange(1, 12)])
        case 2: s.sendall(header(MEM, random.choice((1 << 31, 0xffffffff, 4096))))
        case 3: s.sendall(header(SET_FEATURES, 8) + b"\0" * 3)
        case 4: send(s, GET_FEATURES, fds=fds)
        case 5: send(s, MEM, table(region()), fds)
        case 6: send(s, MEM, table(region(), region(0x1000)), [memfd] * 2)
        case 7: send(s, MEM, table(region(2**64 - 4096)), [memfd])
        case 8: send(s, MEM, table(region(size=MEM_SIZE * 64)), [small])
        case 9: send(s, MEM, table(region(offset=2**64 - MEM_SIZE)), [memfd])
        case 10: send(s, NUM, struct.pack("<II", 99, 64))
        case 11: send(s, KICK, u64(0), [null])
        case 12: send(s, KICK, u64(random.randrange(256)), fds)
        case 13: send(s, CALL, u64(0xfff))
        case 14:
            send(s, MEM, table(region()), [memfd])
            send(s, ADDR, struct.pack("<IIQQQQ", 0, 0, USER + MEM_SIZE - 16, 2**64 - 8, 0, 0))
            send(s, KICK, u64(0), [memfd])
        case 15: send(s, SET_INFLIGHT, struct.pack("<QQHHI", 1 << 40, 0, 1, 64, 0), [small])
        case 16: Guest(s).close()
    os.close(small)
    if random.randrange(4):  # else gone at once
        s.shutdown(socket.SHUT_WR)
        select.select([s], [], [], 1)


def state():
    rss = [l for l in open(f"/proc/{pid}/status") if l.startswith("VmRSS")][0].split()[1]
    return len(os.listdir(f"/proc/{pid}/fd")), int(rss)


def settled():
    """Once it is alone again: a new front-end is served."""
    for _ in range(100):
        s = connect()
        send(s, GET_FEATURES)
        served = s.recv(20)
        s.close()
        if served:
            time.sleep(0.05)
            return state()
    raise SystemExit("it serves nobody any more")


def storm(n):
    memfd, null = os.memfd_create("memory"), os.open("/dev/null", os.O_RDWR)
    os.ftruncate(memfd, MEM_SIZE)
    random.seed(1)
    for i in range(n):
        s = connect()
        try:
            evil(s, memfd, null)
        except (BrokenPipeError, ConnectionResetError):
            pass
        s.close()
        if i == n // 5:
            before = settled()
    after = settled()
    print(f"{n} connections: files {before[0]} -> {after[0]}, memory {before[1]} -> {after[1]} KiB")
    assert after[0] == before[0], "files leak"
    assert after[1] <= before[1] + 256, "memory leaks"


storm(int(sys.argv[4])) if what == "storm" else {"cut": cut, "hold": hold, "good": good}[what]()
