# SPDX-License-Identifier: Apache-2.0

# Nothing stays behind. The demonstration runs in a process and a mount namespace of its own: when its first process
# ends, however it ends, the kernel ends every other one, and with them the network namespaces and mounts.
# This file is the view from outside: it asks the system whether that is so.

# left_behind: prints what remains of this run on the machine; nothing when it is clean.
left_behind() {
    local path target
    for path in /proc/[0-9]*; do
        [[ ${path#/proc/} != "$$" ]] || continue
        # A process may end while it is looked at.
        if { tr '\0' ' ' <"$path/cmdline" | grep -qF -- "$run/"; } 2>/dev/null; then
            echo "process ${path#/proc/}"
        fi
        target=$(readlink "$path/cwd" 2>/dev/null)
        [[ $target == "$run"* ]] && echo "process ${path#/proc/} in $target"
    done
    grep -F -e "epitope-$run_id-" -e "$run" /proc/self/mounts | sed 's/^/mount /'
    ls /run/netns 2>/dev/null | grep -F "epitope-$run_id-" | sed 's/^/network namespace /'
    ip -o link 2>/dev/null | grep -F "epitope-$run_id-" | sed 's/^/link /'
    [[ ! -e $run ]] || echo "folder $run"
}
