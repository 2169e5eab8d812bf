#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/common.sh"
# cffi comes with Debian's python3, which need not be the first in the path.
for python in python3 /usr/bin/python3; do "$python" -c 'import cffi' 2>/dev/null && break; done
cat >work.py <<'PY'
import cffi, ctypes, socket, subprocess

ffi = cffi.FFI()
ffi.cdef("""
    void qsort(void *, size_t, size_t, int (*)(const void *, const void *));
    ssize_t sendto(int, const void *, size_t, int, const void *, unsigned);
    int connect(int, const void *, unsigned);
    int system(const char *);
""")
libc = ffi.dlopen(None)
receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
receiver.bind(("127.0.0.1", 0))
port = receiver.getsockname()[1]
address = ffi.new("char[]", bytes([2, 0]) + port.to_bytes(2, "big") + bytes([127, 0, 0, 1]) + bytes(8))
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

for n in range(200):
    assert libc.sendto(sender.fileno(), b"datagram", 8, 0, address, 16) == 8
    receiver.recv(100)
print("cffi sends 200", libc.connect(sender.fileno(), address, 16))

# Callbacks: C calls a closure in memory made at run time, whose Python function makes critical calls of its own.
calls = 0

@ffi.callback("int(const void *, const void *)")
def compare(x, y):
    global calls
    calls += 1
    libc.sendto(sender.fileno(), b"cffi", 4, 0, ffi.NULL, 0)
    sender.send(b"socket")
    return ffi.cast("const int *", x)[0] - ffi.cast("const int *", y)[0]

numbers = ffi.new("int[]", [5, 3, 1, 4, 2])
libc.qsort(numbers, 5, 4, compare)
print(list(numbers), calls > 4)

def spawn(x, y):
    sender.send(b"ctypes")
    subprocess.run(["true"], check=True)
    native.system(b"true")
    return x[0] - y[0]

native = ctypes.CDLL(None)
closure = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))(spawn)
others = (ctypes.c_int * 5)(5, 3, 1, 4, 2)
native.qsort(others, 5, 4, closure)
print(list(others), libc.system(b"echo shell; exit 3") >> 8)
PY
"$python" work.py
