# SPDX-License-Identifier: Apache-2.0

# The life of epitope-local-center.service and its key's units under systemd, told on the console: a line a step, and at last
# RESULT ok=N failed=N. It is started in a machine of its own (Scripts/vm/boot-center-in-machine).
ok=0 failed=0
unit=epitope-local-center.service
key_unit=epitope-local-center-key.service
socket_unit=epitope-local-center-key.socket
state=/var/lib/epitope/local-center

say() { # what, then a command that must succeed
    what=$1
    shift
    if "$@" >/said 2>&1; then
        ok=$((ok + 1)); echo "ok $what ($(cut -d. -f1 /proc/uptime) s)"
    else
        failed=$((failed + 1)); echo "FAILED $what: $(tail -n 3 /said | tr '\n' ' ')"
    fi
}
property() { /bin/systemctl show "$1" -p "$2" --value; }
process() { property "$1" MainPID; }
is_active() { [ "$(property "$1" ActiveState) $(property "$1" SubState)" = "active running" ]; }
has_failed() { [ "$(property "$1" ActiveState)" = failed ]; }
until_active() { for second in $(seq 900); do is_active "$1" && return 0; has_failed "$1" && return 1; sleep 1; done; return 1; }
is_another() { [ "$(process "$1")" != "$2" ] && [ "$(process "$1")" != 0 ]; }
until_another() {
    for second in $(seq 900); do is_active "$1" && is_another "$1" "$2" && return 0; has_failed "$1" && return 1; sleep 1; done
    return 1
}
user_of() { sed -n 's/^Uid:[[:space:]]*\([0-9]*\).*/\1/p' "/proc/$(process "$1")/status"; }
shows() { [ "$(sed -n "s/^$2:[[:space:]]*//p" "/proc/$(process "$1")/status")" = "$3" ]; }
as_center() { su -s /bin/sh epitope-center -c "$1"; }
cannot() { ! "$@"; }
token() { epitope local-center token --state $state --host "$1"; }
enrol() { # a host; what a key process that was just killed refuses is tried again, with the same token
    made=$(token "$1") || return 1
    for turn in $(seq 60); do
        epitope enroll --state "/hosts/$1" --center https://127.0.0.1:7443 --token "$made" && return 0
        sleep 1
    done
    return 1
}

say "root makes a center" epitope local-center init --state $state --name site-1 --address 127.0.0.1
say "start" /bin/systemctl start $unit
say "the center is active" until_active $unit
if has_failed $unit; then tail -n 20 /run/local-center.log; echo "RESULT ok=$ok failed=$failed"; exit 1; fi
say "the socket of its key is" [ "$(property $socket_unit ActiveState)" = active ]
say "the center's state is its user's now" as_center "cat $state/authority/authority.pem"
say "a host enrols" enrol web-1
say "it has an identity" [ -s /hosts/web-1/local/identity.json ]
say "the key process was started by its socket" until_active $key_unit
say "they are two users" [ "$(user_of $unit)" != "$(user_of $key_unit)" ]
say "neither is root" [ "$(user_of $unit)" != 0 -a "$(user_of $key_unit)" != 0 ]
say "the center's user can't read the key" cannot as_center "cat $state.key/authority-key.pem"
say "nor the key process's credential" cannot as_center "cat /run/credentials/$key_unit/authority-key.pem"
say "nor see what the key process has" cannot as_center "cat /proc/$(process $key_unit)/maps"
for one in $unit $key_unit; do
    say "$one: no capability" shows $one CapEff 0000000000000000
    say "$one: none can be gained" shows $one CapBnd 0000000000000000
    say "$one: no_new_privs" shows $one NoNewPrivs 1
    say "$one: a filter of system calls" shows $one Seccomp 2
    echo "$(systemd-analyze security $one 2>/dev/null | tail -n 1)"
done

first=$(process $key_unit)
kill -9 "$first"
say "a host enrols although the key process was killed" enrol web-2
say "it is another key process" until_another $key_unit "$first"
first=$(process $unit)
kill -9 "$first"
say "systemd starts the center anew" until_another $unit "$first"
say "a host enrols" enrol web-3
say "all three are in the trail" [ "$(epitope local-center events --state $state | grep -c enrolled)" = 3 ]

say "stop" /bin/systemctl stop $unit
say "the state is nobody else's" [ "$(ls -ld $state | cut -c1-10)" = drwx------ ]
say "the key is root's alone" [ "$(ls -ln $state.key/authority-key.pem | cut -c1-10) $(ls -ln $state.key/authority-key.pem | tr -s ' ' | cut -d' ' -f3)" = "-rw------- 0" ]
say "start again" /bin/systemctl start $unit
say "a host enrols" enrol web-4
grep -h signed: /run/local-center-key.log
tail -n 20 /run/local-center.log
echo "RESULT ok=$ok failed=$failed"
[ "$failed" = 0 ]
