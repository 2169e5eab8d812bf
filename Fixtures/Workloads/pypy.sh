#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/common.sh"
cat >work.py <<'PY'
import cffi, socket, subprocess
ffi = cffi.FFI()
ffi.cdef("int socket(int, int, int); int connect(int, const void *, unsigned); int close(int);")
library = ffi.dlopen(None)
address = ffi.new("char[16]", bytes([2, 0, 0, 9, 127, 0, 0, 1]) + bytes(8))
# Enough rounds that the loop is compiled: the calls are then made by machine code of PyPy's.
opened = 0
for n in range(3000):
    descriptor = library.socket(2, 2, 0)
    opened += library.connect(descriptor, address, 16) == 0
    library.close(descriptor)
print("connected", opened)
server = socket.create_server(("127.0.0.1", 0))
for n in range(100):
    with socket.create_connection(server.getsockname()) as client:
        server.accept()[0].close()
print(subprocess.run(["echo", "child"], capture_output=True, text=True).stdout, end="")
PY
pypy3 work.py
