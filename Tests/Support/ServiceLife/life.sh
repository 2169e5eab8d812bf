# SPDX-License-Identifier: Apache-2.0

# The life of epitope-agent.service under systemd, told on the console: a line a step, and at last RESULT ok=N failed=N.
# It is started in a machine of its own (Scripts/vm/boot-in-machine), whose policy, store and identity are damaged when it boots:
# protection comes first. At first by tracepoints, where an attack is killed: so that
# one tells without an agent what would be held for it; then as its unit has it, by hooks.
ok=0 failed=0
unit=epitope-agent.service
state=/var/lib/epitope/host

say() { # what, then a command that must succeed
    what=$1
    shift
    if "$@"; then ok=$((ok + 1)); echo "ok $what ($(cut -d. -f1 /proc/uptime) s)"; else failed=$((failed + 1)); echo "FAILED $what"; fi
}
property() { /bin/systemctl show "$unit" -p "$1" --value; }
attack() { call-stub direct anonymous send 9999 >/attack 2>&1; status=$?; }
is_killed() { attack; [ "$status" = 137 ]; }
is_denied() { attack; [ "$status" = 0 ] && grep -q 'result -1 errno 1$' /attack; }
goes_through() { attack; grep -q 'errno 0$' /attack; }
is_active() { [ "$(property ActiveState) $(property SubState)" = "active running" ]; }
is_another() { [ "$(property MainPID)" != "$1" ] && [ "$(property MainPID)" != 0 ]; }
until_active() { for second in $(seq 600); do is_active && return 0; sleep 1; done; return 1; }
has_begun_before() { # the agent, before sysinit.target
    [ "$(property ActiveEnterTimestampMonotonic)" -lt "$(/bin/systemctl show sysinit.target -p ActiveEnterTimestampMonotonic --value)" ]
}
kept() { grep -q "^$2" "/proc/$(property MainPID)/status" && [ "$(sed -n "s/^$1:[[:space:]]*//p" "/proc/$(property MainPID)/status")" = "$3" ]; }
reported() { for second in $(seq 60); do grep -q "$1" $state/events.jsonl && return 0; sleep 1; done; return 1; }
# A container, by crun, whose critical calls the agent answers: in each turn an exec and a send. Its root is the machine's.
container() {
    /bin/busybox mkdir -p /bundle/rootfs
    mount -o bind / /bundle/rootfs
    cat >/bundle/config.json <<CONFIG
{"ociVersion":"1.0.2","root":{"path":"rootfs"},"mounts":[{"destination":"/proc","type":"proc","source":"proc"}],
 "process":{"user":{"uid":0,"gid":0},"cwd":"/","env":["PATH=/bin:/usr/bin"],"args":["sh","-c",
   "while [ ! -e /enough ]; do call-stub bench 1 9 >/turn && echo turn >>/turns || echo failed >>/turns; sleep 1; done; echo ended >>/turns"]},
 "linux":{"namespaces":[{"type":"pid"},{"type":"mount"}],"seccomp":$(epitope-agent --print-seccomp-profile)}}
CONFIG
    crun --cgroup-manager=disabled run --bundle /bundle one >/crun.log 2>&1
}
goes_on() { # the container, and no call of its failed
    turns=$(wc -l </turns)
    for second in $(seq 120); do [ "$(wc -l </turns)" -gt $((turns + 1)) ] && break; sleep 1; done
    [ "$(wc -l </turns)" -gt $((turns + 1)) ] && ! grep -q failed /turns
}
all_killed() { [ -s /statuses ] && ! grep -qv '^137$' /statuses; }

say "the unit is active after boot" until_active
say "it is active before sysinit.target" has_begun_before
say "its rights are those it needs" kept CapEff CapEff 0000000000080024
say "nothing can be gained" kept CapBnd CapBnd 0000000000000000
say "no_new_privs" kept NoNewPrivs NoNewPrivs 1
say "the unit's filter of system calls is in force" kept Seccomp Seccomp 2
property StatusText | grep -q '^by tracepoints, action kill' && ok=$((ok + 1)) || { failed=$((failed + 1)); echo "FAILED status: $(property StatusText)"; }
say "an attack is killed" is_killed
say "and reported, with its program" reported '"action":"killed"'
has_problems() { for second in $(seq 60); do property StatusText | grep -q ", problems: [1-9]" && return 0; sleep 1; done; return 1; }
say "its status says that something is damaged" has_problems
say "the log says that the policy is not in force" reported '"code":"policy-invalid"'
say "and that the identity can't be used" reported '"code":"identity-malformed"'
say "the damaged store is put aside" [ -s $state/host.sqlite.damaged ]
say "and a packet is in a new one" reported '"event":"spooled"'

# From now on there is always an attack under way; each is to be killed.
( while [ ! -e /enough ]; do call-stub direct anonymous send 9999 >/dev/null 2>&1; echo $? >>/statuses; sleep 1; done ) &
: >/turns
container &
say "a container runs" goes_on
first=$(property MainPID)
say "restart" /bin/systemctl restart $unit
say "another process works" is_another "$first"
say "the container goes on" goes_on
say "protection was never gone" all_killed
second=$(property MainPID)
kill -9 "$second"
say "without an agent an attack is killed" is_killed
say "systemd starts the agent anew" until_active
say "it is another process" is_another "$second"
say "the container goes on" goes_on
say "protection was never gone" all_killed
echo "$(wc -l </statuses) attacks were made meanwhile"
: >/enough
wait
say "the container has ended" grep -q ended /turns
cat /crun.log

say "stop" /bin/systemctl stop $unit
say "stop ends protection" goes_through
say "nothing is held any more" [ ! -e /sys/fs/bpf/epitope ]
say "the state folder is root's alone" [ "$(ls -ld $state | cut -c1-10)" = drwx------ ]

# As it is shipped.
rm /etc/systemd/system/$unit.d/options.conf
/bin/systemctl daemon-reload
say "start by hooks" /bin/systemctl start $unit
say "an attack is denied" is_denied
kill -9 "$(property MainPID)"
say "without an agent an attack is denied" is_denied
for second in $(seq 60); do [ "$(property SubState)" = start ] && break; sleep 0.2; done
say "stop while it is being started" /bin/systemctl stop $unit
say "ends protection, too" goes_through

# Two versions at the level that denies, as a keeper changes them: the next takes over from the one before, under a call a millisecond.
protects() { for second in $(seq 300); do grep -q "protecting every process" "$1" && return 0; kill -0 "$2" || return 1; sleep 1; done; return 1; }
ends_well() { wait "$1"; [ $? = 0 ]; }
all_denied() { sed '$d' /series >/whole; [ "$(wc -l </whole)" -gt 100 ] && ! grep -qv ' 1$' /whole; }
epitope-agent --state $state >/run/one.log 2>&1 &
one=$!
say "a version protects" protects /run/one.log $one
call-series 1000000 1 9999 16 >/series &
series=$!
sleep 1
epitope-agent-next --state $state --replace >/run/two.log 2>&1 &
two=$!
say "the next version protects" protects /run/two.log $two
say "the one before has ended" ends_well $one
say "the state folder names the next version" grep -q '"version" *: *"0.1.1"' $state/agent.json
sleep 1
kill $series
wait $series
echo "$(wc -l </series) calls were made while one version took over from the other"
say "none of them passed" all_denied
kill $two
say "the next version ends" ends_well $two
say "and protection with it" goes_through
tail -n 5 /run/one.log /run/two.log
cat /run/agent.log
echo "RESULT ok=$ok failed=$failed"
[ "$failed" = 0 ]
