#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Python functions that numba compiles, and which call the C library.
. "$(dirname "$0")/common.sh"
# numba comes with Debian's python3, which need not be the first in the path.
python=/usr/bin/python3
"$python" -c 'import numba' 2>/dev/null || leave_out "needs Debian's python3-numba"
cat >work.py <<'PY'
import ctypes, socket, subprocess
from numba import njit

library = ctypes.CDLL(None)
connect = library.connect
connect.argtypes, connect.restype = [ctypes.c_int, ctypes.c_void_p, ctypes.c_int], ctypes.c_int
address = ctypes.create_string_buffer(bytes([2, 0, 0, 9, 127, 0, 0, 1]) + bytes(8))

@njit
def work(descriptor, place):
    opened = 0
    for n in range(200):
        opened += connect(descriptor, place, 16) == 0
    return opened

sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
print("connected", work(sender.fileno(), ctypes.addressof(address)))
print(subprocess.run(["echo", "child"], capture_output=True, text=True).stdout, end="")
PY
"$python" work.py
