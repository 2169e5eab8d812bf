#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/common.sh"
[ "$(id -u)" = 0 ] || leave_out 'runc needs root'
mkdir -p rootfs/bin rootfs/proc rootfs/dev rootfs/sys rootfs/tmp
cp "$(command -v busybox)" rootfs/bin/busybox
for name in sh echo id nc sleep cat seq mkfifo; do ln -s busybox "rootfs/bin/$name"; done
runc spec
python3 - <<'PY'
import json
with open("config.json") as file: config = json.load(file)
config["process"]["terminal"] = False
config["process"]["args"] = ["/bin/sh", "-c", """
    id; hostname 2>/dev/null
    # Its input stays open: at the end of its input it would close its half, and the other end might leave before it has sent.
    mkfifo /tmp/open 2>/dev/null; nc -l -p 7000 <>/tmp/open >/tmp/got &
    for try in $(seq 20); do echo line | nc 127.0.0.1 7000 2>/dev/null && break; sleep 0.2; done
    wait; cat /tmp/got; seq 3 | cat"""]
config["root"]["readonly"] = False
# Cgroups are not what this is about, and not everywhere alike.
config["linux"].pop("resources", None)
with open("config.json", "w") as file: json.dump(config, file)
PY
# Started as it is, and from a sealed copy of itself in memory, as runc from 1.1.15 on starts itself.
runc --root "$PWD/state" run "epitope-plain-$$"
cat >from_memory.py <<'PY'
import fcntl, os, shutil, sys
copy = os.memfd_create("runc_cloned:/proc/self/exe", os.MFD_ALLOW_SEALING)
path = shutil.which("runc", path=os.environ["PATH"] + ":/usr/sbin")
with open(path, "rb") as file, open(copy, "wb", closefd=False) as to: shutil.copyfileobj(file, to)
fcntl.fcntl(copy, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE)
os.execv(f"/proc/self/fd/{copy}", ["runc"] + sys.argv[1:])
PY
/usr/bin/python3 from_memory.py --root "$PWD/state" run "epitope-memory-$$"
