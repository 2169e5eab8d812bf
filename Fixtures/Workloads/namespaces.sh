#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/common.sh"
# What a container is made of: namespaces, an overlay as its root, and a program in it that makes code at run time.
mkdir upper work root
cat >in-container.sh <<'IN'
set -e
mount -t overlay overlay -o lowerdir=/,upperdir="$1/upper",workdir="$1/work" "$1/root" 2>/dev/null ||
    { mount --rbind / "$1/root"; }
cd "$1/root"
mkdir -p "$1/root/tmp"
mount -t proc proc proc
mount -t tmpfs tmpfs tmp
cp "$1/work.py" tmp/work.py
ip link set lo up 2>/dev/null || true
pivot_root . mnt
umount -l /mnt 2>/dev/null || true
cd /
hostname container 2>/dev/null || true
/usr/bin/python3 /tmp/work.py
IN
cat >work.py <<'PY'
import ctypes, os, socket, subprocess
libc = ctypes.CDLL(None)
compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
a = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
a.bind(("127.0.0.1", 0))
def order(x, y):
    a.sendto(b"datagram", a.getsockname())
    return x[0] - y[0]
numbers = (ctypes.c_int * 5)(5, 3, 1, 4, 2)
libc.qsort(numbers, 5, 4, compare(order))
print(os.getpid() < 100, os.getuid(), socket.gethostname(), list(numbers))
listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
peer, _ = listener.accept()
client.send(b"line"); print(peer.recv(100))
print(subprocess.run(["/bin/sh", "-c", "echo child; id -un"], capture_output=True, text=True).stdout.split())
print(subprocess.run(["perl", "-e", "print `echo grandchild`"], capture_output=True, text=True).stdout.strip())
PY
unshare --user --map-root-user --pid --fork --mount --net --uts --ipc /bin/bash in-container.sh "$PWD"
