#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What hardened and older machines have otherwise, in a machine of its own (Scripts/vm/run-in-machine): Yama's rule on who may
# inspect whom, hidden kernel addresses, and control groups of version 1. A line for each step; the last is RESULT ok=N failed=N.
ok=0 failed=0

# say STEP COMMAND...: the step holds when the command succeeds.
say() {
    step=$1
    shift
    if "$@" >/said 2>&1; then ok=$((ok + 1)) && echo "ok $step"; else failed=$((failed + 1)) && echo "FAILED $step: $(tail -n 4 /said)"; fi
}
# until_true COMMAND...: waits for it, a minute at most.
until_true() { for _ in $(seq 600); do "$@" && return; sleep 0.1; done; false; }
# The arguments are words without spaces.
as_user() { busybox su -s /bin/sh nobody -c "$*"; }
setting() { sysctl -w "$1" >/dev/null; }

echo 'nobody:x:65534:65534::/:/bin/sh' >>/etc/passwd
stub="/programs/call-stub library anonymous send 9555"

# --- Yama. An orphan: the shell that started it has ended, so that its parent is the supervisor, or the first process.
cat >/orphan.sh <<'ORPHAN'
supervisor=$PPID
(sh -c "until grep -qE '^PPid:.($supervisor|1)\$' /proc/\$\$/status; do sleep 0.1; done; $*" &)
ORPHAN
inspects_orphan() {
    as_user /programs/protect --guard /bin/sh /orphan.sh "$@" >/output 2>/errors
    cat /output /errors
    ! grep -q 'could not be inspected' /errors
}
blocks_orphan() { inspects_orphan "$stub" && grep -q 'errno 1$' /output && grep -q '^blocked sendto' /errors; }
lets_orphan() { inspects_orphan /programs/call-stub bench 2 9555 && grep -q . /output && ! grep -q blocked /errors; }
refuses() { as_user /programs/protect /bin/true 2>&1 | grep -F '[inspection-not-permitted]'; }
blocks_as_root() { /programs/protect $stub 2>&1 | grep '^blocked sendto'; }

for scope in 0 1; do
    setting kernel.yama.ptrace_scope=$scope
    say "ptrace_scope $scope: an injected call of an orphan is denied" blocks_orphan
    say "ptrace_scope $scope: a benign call of an orphan passes" lets_orphan
done
setting kernel.yama.ptrace_scope=2
say "ptrace_scope 2: a user is refused with the reason" refuses
say "ptrace_scope 2: root protects" blocks_as_root
setting kernel.yama.ptrace_scope=0

# --- Control groups of version 1, with what docker notes of a container.
id=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
mount -t tmpfs groups /sys/fs/cgroup
mkdir /sys/fs/cgroup/systemd
mount -t cgroup -o none,name=systemd systemd /sys/fs/cgroup/systemd
group=/sys/fs/cgroup/systemd/docker/$id
mkdir -p "$group" /var/lib/docker/containers/$id
echo '{"Name": "/web", "Config": {"Image": "shop/web:1"}}' >/var/lib/docker/containers/$id/config.v2.json
cat >/policy.json <<'POLICY'
{"exclusions": [{"unit": "shop.service", "evidence": "call-from-memory-file", "reason": "a trial", "until": "2099-01-01"}]}
POLICY
mkdir -m 700 /state
/programs/epitope-agent --state /state --pins none --policy /policy.json 2>/agent.log &
agent=$!
says() { cat /agent.log; grep -q "$1" /agent.log; }
say "the agent protects" until_true says 'protecting every process'
say "an exclusion by unit is said not to hold by version 1" says 'shop.service.*control groups version 2'
in_group() { sh -c "echo \$\$ >$group/cgroup.procs && exec $stub" | grep 'errno 1$'; }
say "a call in a container of version 1 is denied" in_group
spooled() { grep -q '"spooled"' /state/events.jsonl; }
say "its packet is made" until_true spooled
names() { cat /state/host.sqlite* | grep -q "$1"; }
say "the packet names the container" names $id
say "the packet names the container's image" names shop/web:1
kill "$agent"
wait "$agent"

# --- Addresses of the kernel that even root doesn't see.
setting kernel.kptr_restrict=2
check() { /programs/epitope-agent --check; }
names_setting() { check | grep -q kernel.kptr_restrict; }
say "kptr_restrict 2: the agent names the setting" names_setting
for line in $(/programs/kernel-matrix hidden-addresses | grep -E '^(ok|FAILED)' | sed 's/ /_/g'); do
    case $line in ok_*) say "kptr_restrict 2: ${line#ok_}" true ;; *) say "kptr_restrict 2: ${line#FAILED_}" false ;; esac
done

echo "RESULT ok=$ok failed=$failed"
[ "$failed" = 0 ]
