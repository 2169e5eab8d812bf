# SPDX-License-Identifier: Apache-2.0

# What is kept: everything a reader needs to check the demonstration by hand, and no private key.

# The bytes of the first content of some rules, as "aa bb cc".
rule_bytes() { grep -oE 'content: *"\|[0-9A-Fa-f ]+\|"' <<<"$1" | head -n 1 | grep -oE '[0-9A-Fa-f]{2}( [0-9A-Fa-f]{2})+'; }

# write_disassembly BYTES FILE: with Capstone's cstool, or objdump, or LLVM's.
write_disassembly() {
    local tool binary="$run/signature.bin"
    printf '%b' "$(sed 's/ //g; s/../\\x&/g' <<<"$1")" >"$binary"
    {
        echo "signature: $1"
        echo
        if tool=$(command -v cstool); then
            # A window may begin inside an instruction: what does not decode is shown as data.
            "$tool" -s x64 "$1"
        elif tool=$(command -v objdump); then
            "$tool" -D -b binary -m i386:x86-64 -M intel "$binary" | sed -n '/^ *[0-9a-f]*:\t/p'
        elif tool=$(command -v llvm-mc); then
            sed 's/[0-9A-Fa-f][0-9A-Fa-f]/0x&/g' <<<"$1" | "$tool" --disassemble --triple=x86_64 --output-asm-variant=1
        else
            echo "no disassembler: install capstone-tool"
        fi
    } >"$2" 2>&1
    rm -f "$binary"
}

# keep_site_artefacts SITE: the site's rules, and what its Suricata logged.
keep_site_artefacts() {
    local from="$run/suricata-$1"
    [[ -d $from ]] || return 0
    cp "$from/epitope.rules" "$artefacts/rules-$1.rules" 2>/dev/null
    cp "$from/eve.json" "$artefacts/eve-$1.json" 2>/dev/null
    cp "$from/suricata.yaml" "$artefacts/suricata-$1.yaml" 2>/dev/null
    cp "$run/settings-$1.json" "$artefacts/" 2>/dev/null
    [[ ! -d $run/captures-$1 ]] || cp -r "$run/captures-$1" "$artefacts/"
    return 0
}

# keep_signature RULES FILE: the bytes of the first of these rules, and what code they are.
keep_signature() {
    local bytes
    bytes=$(rule_bytes "$1")
    [[ -z $bytes ]] || write_disassembly "$bytes" "$2"
}

keep_artefacts() {
    local site host code
    for site in a b; do keep_site_artefacts "$site"; done
    for site in a b global; do
        [[ ! -d $(state_of "$site") ]] || events "$site" >"$artefacts/events-$site.jsonl"
    done
    [[ ! -f $run/datagram.pcap ]] || cp "$run/datagram.pcap" "$artefacts/"
    for host in host-1 host-3; do
        [[ ! -d $run/$host ]] || host_events "$host" >"$artefacts/events-$host.jsonl"
    done
    for site in a b; do
        [[ ! -d $run/center-$site ]] || write_packet "$site"
    done
    keep_signature "$(cat "$artefacts/rules-a.rules" 2>/dev/null)" "$artefacts/signature.txt"
    keep_signature "$(grep -s '^alert ' "$artefacts/rules-b.rules")" "$artefacts/signature-one-hosts-word.txt"
    for code in sending connecting; do write_code "$code" "$artefacts/datagram-$code.bin"; done
    return 0
}
