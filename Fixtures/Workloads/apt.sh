#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/common.sh"
# apt renews packages in a chroot: an overlay of the machine's own root, so that only what changes is written. Meanwhile
# a program with code of its own making works on in there, though its libraries have been replaced.
[ "$(id -u)" = 0 ] || leave_out 'apt in a chroot needs root'
[ -n "$(apt-cache madison libc6 2>/dev/null)" ] || leave_out 'apt knows of no packages: run apt-get update'
mkdir upper work root
cat >in-chroot.sh <<'IN'
set -e
trap 'tail -5 /tmp/log >&2' ERR
# Its folder isn't there in the chroot.
unset TMPDIR
# The parsed lists are kept between calls, whatever the machine says.
export DEBIAN_FRONTEND=noninteractive
options=(-q -y -o DPkg::Options::=--force-unsafe-io -o Acquire::Retries=1 -o Dir::Cache::pkgcache=pkgcache.bin
    -o Dir::Cache::srcpkgcache=srcpkgcache.bin)
# Where packages lie that were fetched before, for a machine that reaches no source now.
[ -z "${EPITOPE_APT_ARCHIVES-}" ] || options+=(-o Dir::Cache::archives="$EPITOPE_APT_ARCHIVES")
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
cd /tmp
mkfifo go
/usr/bin/python3 worker.py &
# A package of our own is upgraded, from a source of its own.
mkdir -p source lists/partial
for version in 1 2; do
    mkdir -p p$version/DEBIAN p$version/usr/lib/epitope-workload
    printf 'Package: epitope-workload\nVersion: %s\nArchitecture: all\nMaintainer: a <a@example.org>\nDescription: a\n' $version \
        >p$version/DEBIAN/control
    printf '#!/bin/sh\nset -e\nperl -e "print 1"\n' >p$version/DEBIAN/postinst
    chmod 755 p$version/DEBIAN/postinst
    echo $version >p$version/usr/lib/epitope-workload/version
    dpkg-deb -b p$version source/$version.deb >/dev/null
done
{ cat p2/DEBIAN/control; printf 'Filename: ./2.deb\nSize: %s\nSHA256: %s\n' "$(stat -c %s source/2.deb)" "$(sha256sum <source/2.deb | cut -d' ' -f1)"; } \
    >source/Packages
echo 'deb [trusted=yes] file:/tmp/source ./' >own.list
own=(-o Dir::Etc::SourceList=/tmp/own.list -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists=/tmp/lists)
dpkg -i source/1.deb >log 2>&1
cat /usr/lib/epitope-workload/version
apt-get "${options[@]}" "${own[@]}" update >>log 2>&1
apt-get "${options[@]}" "${own[@]}" upgrade >>log 2>&1
cat /usr/lib/epitope-workload/version
# What every script needs, and a library of the program that works on, are renewed from the machine's own sources.
if apt-get "${options[@]}" install --reinstall --no-install-recommends $(cat apt-packages) >>log 2>&1; then echo renewed
else
    tail -3 log >&2
    exit 77
fi
echo >go
wait
IN
cat >worker.py <<'PY'
import ctypes, socket, subprocess
compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
libc, a = ctypes.CDLL(None), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
a.bind(("127.0.0.1", 0))
def order(x, y):
    a.sendto(b"datagram", a.getsockname())
    return x[0] - y[0]
def work():
    numbers = (ctypes.c_int * 5)(5, 3, 1, 4, 2)
    libc.qsort(numbers, 5, 4, compare(order))
    return list(numbers), libc.system(b"true"), subprocess.run(["echo", "child"], capture_output=True, text=True).stdout
first = work()
open("go").read()
with open("/proc/self/maps") as maps: replaced = any("libffi.so" in line and "deleted" in line for line in maps)
print(replaced, work() == first)
PY
unshare --mount --propagation private --pid --fork --kill-child /bin/bash -euc '
    mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
    mount -t proc proc "$1/root/proc"; mount --rbind /dev "$1/root/dev"; mount -t tmpfs tmpfs "$1/root/tmp"; mount -t tmpfs tmpfs "$1/root/run"
    cp "$1/worker.py" "$1/in-chroot.sh" "$2/apt-packages" "$1/root/tmp"
    exec chroot "$1/root" /bin/bash /tmp/in-chroot.sh' bash "$PWD" "$workloads"
