#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What hardened and older machines have otherwise, in a machine of its own (Scripts/vm/run-in-machine): Yama's rule on who may
# inspect whom, processes in other namespaces, hidden kernel addresses, and control groups of version 1. A line for each step; the
# last is RESULT ok=N failed=N.
ok=0 failed=0

# say STEP COMMAND...: the step holds when the command succeeds.
say() {
    step=$1
    shift
    if "$@" >/said 2>&1; then ok=$((ok + 1)) && echo "ok $step ($(cut -d. -f1 /proc/uptime) s)"; else
        failed=$((failed + 1)) && echo "FAILED $step: $(tail -n 12 /said | tr '\n' '|')"
    fi
}
# until_true COMMAND...: waits for it, a minute at most.
until_true() { for _ in $(seq 600); do "$@" && return; sleep 0.1; done; false; }
# The arguments are words without spaces.
as_user() { su -s /bin/sh nobody -c "$*"; }
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
refuses_root() { /programs/protect /bin/true 2>&1 | grep -F '[inspection-not-permitted]'; }
blocks_as_root() { /programs/protect $stub 2>&1 | grep '^blocked sendto'; }

for scope in 0 1; do
    setting kernel.yama.ptrace_scope=$scope
    say "ptrace_scope $scope: an injected call of an orphan is denied" blocks_orphan
    say "ptrace_scope $scope: a benign call of an orphan passes" lets_orphan
done
setting kernel.yama.ptrace_scope=2
say "ptrace_scope 2: a user is refused with the reason" refuses
say "ptrace_scope 2: root protects" blocks_as_root
# From here on until the machine ends: the setting can't be lowered again.
setting kernel.yama.ptrace_scope=3
say "ptrace_scope 3: a user is refused with the reason" refuses
say "ptrace_scope 3: root is refused with the reason" refuses_root

# --- Addresses of the kernel that even root doesn't see. The agent needs no right that Yama withholds, at this setting neither.
setting kernel.kptr_restrict=2
check() { /programs/epitope-agent --check; }
names_setting() { check | grep kernel.kptr_restrict; }
say "kptr_restrict 2: --check names the setting" names_setting
for line in $(/programs/kernel-matrix hidden-addresses | grep -E '^(ok|FAILED)' | sed 's/ /_/g'); do
    case $line in ok_*) say "kptr_restrict 2: ${line#ok_}" true ;; *) say "kptr_restrict 2: ${line#FAILED_}" false ;; esac
done

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
mount -t bpf bpf /sys/fs/bpf
says() { cat /agent.log; grep -q "$1" /agent.log; }
protects() { ! kill -0 "$agent" || says 'protecting every process'; }
starts_agent() {
    /programs/epitope-agent --state /state --pins /sys/fs/bpf/epitope --policy /policy.json --packets-per-day 1000 2>/agent.log &
    agent=$!
    until_true protects
    says 'protecting every process'
}
# The last report, as the agent's log has it.
last() { grep -E '"event":"(blocked|watched)"' /state/events.jsonl | tail -n 1; }
number() { last | sed -n 's/.*"processID":\([0-9]*\).*/\1/p'; }
say "the agent protects" starts_agent
say "an exclusion by unit is said not to hold by version 1" says 'shop.service.*control groups version 2'
# It stays until the agent has read what it is.
contained() {
    rm -f /output
    sh -c "echo \$\$ >$group/cgroup.procs && exec $stub linger" >/output 2>&1 &
    until_true grep result /output
    grep 'errno 1$' /output
}
say "a call in a container of version 1 is denied" contained
spooled() { grep '"spooled"' /state/events.jsonl; }
say "its packet is made" until_true spooled
names() { last; cat /state/host.sqlite* | grep -q "$1"; }
say "the packet names the container" names $id
say "the packet names the container's image" names shop/web:1
kill -9 "$(number)"

# --- Other namespaces: the process has the number there that a bystander has on the machine.
sleep 100000 &
bystander=$!
# in_namespace OPTION COMMAND...: its output in /output, and what became of it in /status.
in_namespace() {
    option=$1
    shift
    rm -f /output /status
    unshare $option --fork --pid --mount-proc /bin/sh -c \
        "echo $((bystander - 1)) >/proc/sys/kernel/ns_last_pid; $* >/output 2>&1 & wait \$!; echo \$? >/status"
    cat /output /status
}
has_bystanders_number() { grep "process $bystander " /output; }
lives() { kill -0 $bystander; }
denies_inside() {
    in_namespace "$1" "/programs/call-stub direct anonymous send 9555 linger" &
    until_true grep result /output
    has_bystanders_number && grep 'result -1 errno 1$' /output
}
# While it lingers.
reports_the_machines() {
    process=$(number)
    last
    [ -n "$process" ] && [ "$process" != "$bystander" ] && grep -E "^NSpid:.$process.$bystander\$" /proc/$process/status &&
        last | grep -q '"processName":"call-stub"'
}
for kind in pid user; do
    case $kind in pid) option= ;; user) option=-r ;; esac
    say "$kind namespace: an injected call is denied" denies_inside "$option"
    say "$kind namespace: the report has the machine's number of the process" until_true reports_the_machines
    kill -9 "$(number)"
    until_true [ -e /status ]
done
# Hooks hold the call until the agent has compared the page, which the kernel program can't tell.
denies_page_inside() {
    in_namespace "" "/programs/call-stub direct written-page send 9555"
    has_bystanders_number && grep 'result -1 errno 1$' /output
}
says_denied() { last; last | grep '"action":"blocked"' | grep call-from-written-image-page && [ "$(number)" != $bystander ]; }
say "pid namespace: a call from a page with other code is denied" denies_page_inside
say "pid namespace: and reported with the machine's number" until_true says_denied
# A library's caller in such a page. Where the agent doesn't answer in time, as on a machine that is as slow as this one, it ends the
# process instead.
is_stopped() { grep '^refused 1$' /output || { grep '^137$' /status && [ ! -s /output ]; }; }
stops_inside() { in_namespace "" "/programs/own-code code" && is_stopped; }
says_stopped() { last; last | grep -E '"action":"(blocked|killed)"' | grep own-code && [ "$(number)" != $bystander ]; }
say "pid namespace: a library's call for a page with other code is stopped" stops_inside
say "pid namespace: it is reported with the machine's number" until_true says_stopped
say "pid namespace: the process that has its number here is not ended" lives

# --- A page that the agent looks at.
stops() {
    /programs/own-code code >/output
    echo $? >/status
    cat /output /status
    is_stopped
}
say "kptr_restrict 2: a page with other code than its file's is not an image's" stops

# --- And nobody looks.
kill -9 "$agent"
wait "$agent"
passes() { /programs/call-stub direct written-page send 9555 | grep 'errno 0$'; }
says_watched() { last; last | grep '"event":"watched"' | grep call-from-written-image-page; }
say "kptr_restrict 2: without an agent the call passes" passes
say "kptr_restrict 2: the next agent protects" starts_agent
say "kptr_restrict 2: and reports the call" until_true says_watched
kill "$agent"
wait "$agent"

echo "RESULT ok=$ok failed=$failed"
[ "$failed" = 0 ]
