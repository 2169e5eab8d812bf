// SPDX-License-Identifier: Apache-2.0

import Crypto
import EpitopeModel
public import SecureChannel

/// Installs Epitope on a machine that has nothing of it, with the tools that every distribution has.
///
/// Nobody between the machine and the center gains anything. The command that an operator copies names the script by its SHA-256, and runs
/// no other. The script believes an authority alone that has the fingerprint in the token: the center by its certificate, what is fetched
/// by the authority's signature. Before all of that is checked nothing that was fetched is run, and the token is sent to nobody.
public enum InstallScript {
    /// The one command for a new host.
    ///
    /// - Parameters:
    ///   - center: its address.
    ///   - token: which the host enrols by.
    public static func command(center: CenterAddress, token: EnrolmentToken) -> String {
        let digest = Hex.encode(SHA256.hash(data: Array(text.utf8)))
        return "d=$(mktemp -d) && curl -fsSk \(center)\(path) -o $d/install && echo \"\(digest)  $d/install\" | sha256sum -c --quiet && "
            + "EPITOPE_TOKEN=\(token) sh $d/install \(center)"
    }

    private static let path = "/v1/install"

    /// For a POSIX shell, curl, openssl and coreutils.
    public static let text = #"""
        #!/bin/sh
        # SPDX-License-Identifier: Apache-2.0
        # Installs Epitope on this host from its center, and enrols it.
        #   EPITOPE_TOKEN=TOKEN sh install CENTER [epitope host install's options]
        # What is fetched is checked by the authority's fingerprint in the token before any of it is run.
        set -eu
        umask 077
        export LC_ALL=C
        fail() { echo "epitope install: $1 [$2]" >&2; exit 1; }
        [ $# -ge 1 ] || fail "give the center's address: https://HOST:PORT" center-address-malformed
        center=${1%/}
        shift
        case $center in https://*) ;; *) fail "the center's address is not https://HOST:PORT" center-address-malformed ;; esac
        [ "$(id -u)" = 0 ] || fail "only root can install the agent" root-needed
        for tool in curl openssl sha256sum base64 od sed awk mktemp; do
            command -v $tool >/dev/null || fail "$tool is needed: install it" tool-missing
        done
        token=${EPITOPE_TOKEN-}
        unset EPITOPE_TOKEN
        if [ -z "$token" ]; then read -r token; fi
        case $token in ept1_*) ;; *) fail "the token is none: it starts with ept1_" token-malformed ;; esac
        # The name that the host enrols by, wherever it stands among the options.
        name=$(uname -n) before=
        for word; do
            [ "$word" != -- ] || break
            [ "$before" != --name ] || name=$word
            case $word in --name=*) name=${word#--name=} ;; esac
            before=$word
        done

        work=$(mktemp -d)
        # The folder that the command has made for this script goes, too; another one has more in it, or is none of a mktemp.
        clean() {
            rm -rf "$work"
            case $0 in /tmp/tmp.*/install | "${TMPDIR:-/tmp}"/tmp.*/install) rm -f "$0"; rmdir "${0%/*}" 2>/dev/null || true ;; esac
        }
        trap clean EXIT
        trap 'exit 130' INT TERM HUP
        # The token's bytes: a secret (16), the fingerprint of the authority (32), a checksum (4).
        text=$(printf %s "${token#ept1_}" | sed 'y|-_|+/|')
        case $((${#text} % 4)) in 2) text=$text== ;; 3) text=$text= ;; esac
        bytes=$(printf %s "$text" | base64 -d 2>/dev/null | od -An -v -tx1 | sed 's/ //g' | awk '{ printf "%s", $0 }')
        [ ${#bytes} = 104 ] || fail "the token is incomplete or mistyped" token-malformed
        fingerprint=$(printf %s "$bytes" | cut -c 33-96)

        # The authority: believed by its fingerprint, whoever says it.
        curl -fsSk --proto =https --max-time 60 --max-filesize 65536 "$center/v1/authority" -o "$work/said.pem" || fail "the center at $center does not answer" center-unreachable
        # What is used is made of the very bytes that have the fingerprint.
        openssl x509 -in "$work/said.pem" -outform DER -out "$work/authority.der" 2>/dev/null || fail "the authority's certificate can't be read" certificate-malformed
        found=$(sha256sum <"$work/authority.der" | cut -c 1-64)
        [ "$found" = "$fingerprint" ] || fail "the token is for another center than the one at $center; if the address is right, the connection is intercepted" authority-mismatch
        openssl x509 -inform DER -in "$work/authority.der" -out "$work/authority.pem" || fail "the authority's certificate can't be read" certificate-malformed
        openssl x509 -in "$work/authority.pem" -noout -pubkey >"$work/key.pem" || fail "the authority's certificate can't be read" certificate-malformed

        # From here on the center shows a certificate of that authority, and the token is sent to nobody else.
        {
            echo "cacert = \"$work/authority.pem\""
            echo "proto = =https"
            echo "silent"
            echo "show-error"
            echo "retry = 5"
            echo "header = \"authorization: Bearer $token\""
            echo "header = \"epitope-name: $name\""
        } >"$work/curl"
        get() { curl -K "$work/curl" "$@"; }
        # What the center answers in the place of what was asked for: its code, its message and what to do.
        said() { tr -d '\000-\037' <"$work/order" | cut -c 1-2000 | sed -n 's/.*"'"$1"'" *: *"\(\([^"\\]\|\\.\)*\)".*/\1/p' | sed 's/\\\(.\)/\1/g'; }

        status=$(get --max-time 60 --max-filesize 4096 -w '%{http_code}' "$center/v1/agents/manifest?architecture=$(uname -m)" -o "$work/order") || fail "the center at $center does not answer" center-unreachable
        if [ "$status" != 200 ]; then
            echo "epitope install: $(said message) [$(said code)]" >&2
            echo "  what to do: $(said remedy)" >&2
            exit 1
        fi
        sed '/^signature /,$d' "$work/order" >"$work/manifest"
        awk -v f="$fingerprint" '$1 == "signature" && $2 == f { print $3 }' "$work/order" | sed q | base64 -d >"$work/signature" 2>/dev/null || true
        [ -s "$work/signature" ] || fail "what the center hands out is not signed by the authority of the token" agent-unsigned
        openssl dgst -sha256 -verify "$work/key.pem" -signature "$work/signature" "$work/manifest" >/dev/null 2>&1 || fail "what the center hands out was changed since it was signed" agent-signature-wrong
        [ "$(sed q "$work/manifest")" = "epitope-agent-manifest 1" ] || fail "what was signed is no order of a version" agent-manifest-malformed
        grep -qx "architecture $(uname -m)" "$work/manifest" || fail "what was signed is for another architecture" agent-of-another-architecture

        mkdir "$work/programs"
        for program in epitope epitope-agent; do
            set_of=$(awk -v p=$program '$1 == "file" && $2 == p { print $3, $4 }' "$work/manifest")
            size=${set_of% *} sha256=${set_of#* }
            case $size$sha256 in *[!0-9a-f]* | '') fail "what was signed names no $program" agent-manifest-malformed ;; esac
            last=$(((size + 1048575) / 1048576 - 1))
            get --fail --max-filesize 1048576 "$center/v1/agents/files/$sha256/[0-$last]" >"$work/programs/$program" || fail "$program could not be fetched: is there room in ${TMPDIR:-/tmp}?" agent-no-room
            echo "$sha256  $work/programs/$program" | sha256sum -c --status || fail "$program is not the one that was signed" agent-tampered
        done
        # Only now is anything made executable.
        cp "$work/order" "$work/programs/order"
        chmod 700 "$work/programs/epitope" "$work/programs/epitope-agent"
        "$work/programs/epitope" --version >/dev/null || fail "the programs can't be run from $work: set TMPDIR to a folder that is not mounted noexec, or see which library is missing" agent-not-well
        printf '%s\n' "$token" | "$work/programs/epitope" host install --center "$center" --token-file - --from "$work/programs" "$@"
        """# + "\n"
}
