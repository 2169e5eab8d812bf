# SPDX-License-Identifier: Apache-2.0

# The gateways' captures: what came to the protected services from outside, in a ring of files that the site's center reads.

captures_of() { echo "$run/captures-$1"; }

# record SITE: each frame is in the file when it passes, not when a block is full (-U, --immediate-mode): the center looks
# a few milliseconds later.
record() {
    local folder
    folder=$(captures_of "$1")
    mkdir -p "$folder" || return
    start_inside "gateway-$1" "recorder-$1" tcpdump -i outside -n -U --immediate-mode -Z root -C 16 -W 8 \
        -w "$folder/gateway.pcap" "udp port $service_port"
    ready "recorder-$1" 5 '^tcpdump: listening on outside'
}

# carried SITE CODE: how many files of the ring hold the first 32 bytes of that code.
carried() {
    local bytes="$run/$2.bin"
    [[ -s $bytes ]] || write_code "$2" "$bytes" || return
    { LC_ALL=C grep -alP "$(head -c 32 "$bytes" | od -An -v -tx1 | tr -d '\n' | sed 's/ /\\x/g')" "$(captures_of "$1")"/* || true; } | wc -l
}
