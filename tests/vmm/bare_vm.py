# SPDX-License-Identifier: MIT
"""A KVM virtual machine of no VMM: real-mode code that reads a port for ever, on vCPUs that come and go.

bare_vm.py SECONDS    vCPU 0 runs all the time, vCPU 1 is plugged after a third of it and gone after two thirds
"""
import fcntl, mmap, os, struct, sys, threading, time

CREATE_VM, VCPU_MMAP_SIZE, CREATE_VCPU = 0xAE01, 0xAE04, 0xAE41
SET_MEMORY, GET_SREGS, SET_SREGS, SET_REGS, RUN = 0x4020AE46, 0x8138AE83, 0x4138AE84, 0x4090AE82, 0xAE80
CODE = bytes([0xBA, 0xFF, 0x02, 0xEC, 0xEB, 0xFD])  # mov dx, 0x2ff; again: in al, dx; jmp again
EXIT_IO = 2

kvm = os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC)
vm = fcntl.ioctl(kvm, CREATE_VM, 0)
memory = mmap.mmap(-1, 0x10000)
memory[0x1000:0x1000 + len(CODE)] = CODE


def address(m):
    import ctypes
    return ctypes.addressof(ctypes.c_char.from_buffer(m))


fcntl.ioctl(vm, SET_MEMORY, struct.pack("IIQQQ", 0, 0, 0, 0x10000, address(memory)))


def run(number, until):
    fd = fcntl.ioctl(vm, CREATE_VCPU, number)
    page = mmap.mmap(fd, fcntl.ioctl(kvm, VCPU_MMAP_SIZE, 0))
    sregs = bytearray(fcntl.ioctl(fd, GET_SREGS, bytes(0x138)))
    sregs[0:8] = bytes(8)            # CS base
    sregs[12:14] = bytes(2)          # CS selector
    fcntl.ioctl(fd, SET_SREGS, bytes(sregs))
    regs = [0] * 18
    regs[16], regs[17] = 0x1000, 2   # RIP, RFLAGS
    fcntl.ioctl(fd, SET_REGS, struct.pack("18Q", *regs))
    exits = 0
    while time.monotonic() < until:
        fcntl.ioctl(fd, RUN, 0)
        assert struct.unpack_from("I", page, 8)[0] == EXIT_IO
        exits += 1
    print(f"vcpu {number} exits {exits}", flush=True)


seconds = float(sys.argv[1])
start = time.monotonic()
first = threading.Thread(target=run, args=(0, start + seconds))
first.start()
time.sleep(seconds / 3)
second = threading.Thread(target=run, args=(1, start + 2 * seconds / 3))
second.start()
second.join()
first.join()
