#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/common.sh"
cat >work.py <<'PY'
import ctypes, http.server, json, multiprocessing, socket, subprocess, threading, urllib.request

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"path": self.path}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
for n in range(20):
    with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/{n}") as answer:
        assert json.load(answer) == {"path": f"/{n}"}
server.shutdown()
print("http ok")

print(subprocess.run(["echo", "child"], capture_output=True, text=True, check=True).stdout.strip())
with multiprocessing.Pool(2) as pool:
    print(sum(pool.map(abs, range(-100, 0))))

a, b = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
b.bind(("127.0.0.1", 0))
a.sendto(b"datagram", b.getsockname())
print(b.recv(100).decode())

# A C function that is called by way of libffi, and one that calls back into Python through a closure.
libc = ctypes.CDLL(None)
compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
numbers = (ctypes.c_int * 5)(5, 3, 1, 4, 2)
libc.qsort(numbers, 5, ctypes.sizeof(ctypes.c_int), compare(lambda x, y: x[0] - y[0]))
print(list(numbers), libc.system(b"true"))
PY
python3 work.py
