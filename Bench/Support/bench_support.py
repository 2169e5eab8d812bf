# SPDX-License-Identifier: Apache-2.0

"""What the benchmarks and the fault trials share."""
import contextlib
import os
import random
import socket
import sys
import time

SURICATA = """%YAML 1.1
---
vars: {{address-groups: {{HOME_NET: "any", EXTERNAL_NET: "any"}}}}
default-log-dir: {folder}
default-rule-path: {folder}
rule-files: [epitope.rules]
unix-command: {{enabled: yes, filename: {folder}/command.socket}}
outputs: [{{eve-log: {{enabled: yes, filetype: regular, filename: eve.json, types: [alert]}}}}]
pcap: [{{interface: {interface}}}]
classification-file: /etc/suricata/classification.config
reference-config-file: /etc/suricata/reference.config
"""


def suricata_settings(folder, interface):
    """The settings of a Suricata with its rules, its command socket and its alerts in a folder."""
    return SURICATA.format(folder=folder, interface=interface)


def named(faults, names):
    """Those of some faults (functions) that a text names, in their own order. Ends the program where one is none of them."""
    wanted = names.split()
    found = [fault for fault in faults if fault.__name__ in wanted]
    if len(found) != len(wanted):
        raise SystemExit("--only takes some of: " + " ".join(fault.__name__ for fault in faults))
    return found


def say(text):
    print(text, file=sys.stderr, flush=True)


# On a machine that is busy with other work everything may take so many times as long.
PATIENCE = float(os.environ.get("PATIENCE", "1"))


def eventually(seconds, ready, pause=0.05):
    """Whether something came to hold within so many seconds."""
    end = time.monotonic() + seconds * PATIENCE
    while True:
        if ready():
            return True
        if time.monotonic() >= end:
            return False
        time.sleep(pause)


def free_port():
    """A port below those that connections get: who connects again and again to a port that nobody listens on may get that very
    port for its own end, and be connected to itself."""
    while True:
        port = random.randrange(10_000, 30_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
