# SPDX-License-Identifier: Apache-2.0

# Sourced by the workloads. Usage: WORKLOAD.sh FOLDER
set -euo pipefail
workloads=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$1"
export HOME="$PWD" LC_ALL=C

# leave_out WHY: what the work needs isn't to be had here; the tests say so and go on.
leave_out() {
    echo "$1" >&2
    exit 77
}

# A TCP port on loopback that nobody listens on now.
free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# wait_for_port PORT: until something accepts there, at most 20 seconds.
wait_for_port() {
    local _
    for _ in $(seq 200); do
        if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then return 0; fi
        sleep 0.1
    done
    echo "nothing listens on port $1" >&2
    return 1
}

# ends_with_script PID: that process is ended when the script ends.
ends_with_script() {
    started+=("$1")
    trap 'kill "${started[@]}" 2>/dev/null || true; wait' EXIT
}
started=()
