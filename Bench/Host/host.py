# SPDX-License-Identifier: Apache-2.0

"""The host benchmark. Usage: host.py BUILD_FOLDER [--runs N] [--calls N] [--rounds N]

Run by Bench/Host/bench-host in a network namespace of its own. It measures
1. what protection costs benign calls and real loads (host_cost.py);
2. the time from a blocked call to its packet in the center's store and to its rule live in Suricata, beside the
   reload that the same Suricata needs by itself.
"""
import argparse
import contextlib
import datetime
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import host_cost

SURICATA = """%YAML 1.1
---
vars: {{address-groups: {{HOME_NET: "any", EXTERNAL_NET: "any"}}}}
default-log-dir: {folder}
default-rule-path: {folder}
rule-files: [epitope.rules]
unix-command: {{enabled: yes, filename: {folder}/command.socket}}
outputs: [{{eve-log: {{enabled: yes, filetype: regular, filename: eve.json, types: [alert]}}}}]
pcap: [{{interface: lo}}]
classification-file: /etc/suricata/classification.config
reference-config-file: /etc/suricata/reference.config
"""


def say(text):
    print(text, file=sys.stderr, flush=True)


def wait_until(what, seconds, ready):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if ready():
            return
        time.sleep(0.05)
    raise SystemExit(f"{what} took more than {seconds} seconds")


class SuricataSocket:
    """The command socket, as far as a bare reload needs it."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(path)
        self.ask({"version": "0.2"})

    def ask(self, message):
        self.socket.sendall(json.dumps(message).encode() + b"\n")
        answer = b""
        while not answer.endswith(b"\n"):
            piece = self.socket.recv(65536)
            if not piece:
                raise SystemExit("suricata closed its socket")
            answer += piece
        return json.loads(answer)

    def reload_ms(self):
        start = time.perf_counter()
        answer = self.ask({"command": "ruleset-reload-rules"})
        if answer.get("return") != "OK":
            raise SystemExit(f"the bare reload failed: {answer}")
        return (time.perf_counter() - start) * 1000


@contextlib.contextmanager
def started(words, log, **options):
    """A process of ours that is ended, by its id, when the block is left."""
    with open(log, "wb") as out:
        process = subprocess.Popen(words, stdout=out, stderr=subprocess.STDOUT, **options)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def epitope(build, *words):
    done = subprocess.run([build / "epitope", *words], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"epitope {' '.join(map(str, words))}: {done.stderr}")
    return done.stdout


def chain(build, folder, runs):
    """One site on loopback: `runs` blocked calls of unlike code, one after the other."""
    site, host, ids = folder / "site", folder / "host", folder / "suricata"
    ids.mkdir()
    (ids / "epitope.rules").write_text("")
    (ids / "suricata.yaml").write_text(SURICATA.format(folder=ids))
    port, target = free_port(), free_port()
    configuration = folder / "center.json"
    goodware = folder / "goodware.index"
    say("building a goodware index of /usr/sbin")
    epitope(build, "goodware", "build", "/usr/sbin", "--output", goodware)
    configuration.write_text(json.dumps({"updatesADay": runs + 10, "forwarding": False, "goodware": str(goodware)}))
    with contextlib.ExitStack() as stack:
        say("starting suricata")
        stack.enter_context(
            started(["suricata", "-c", ids / "suricata.yaml", "--pcap=lo", "-l", ids], folder / "suricata.log"))
        wait_until("suricata's start", 60, lambda: "Engine started" in (folder / "suricata.log").read_text(errors="replace"))
        say("starting the center")
        epitope(build, "local-center", "init", "--state", site, "--name", "bench", "--address", "127.0.0.1")
        stack.enter_context(
            started(
                [build / "epitope", "local-center", "serve", "--state", site, "--listen", f"127.0.0.1:{port}",
                 "--config", configuration, "--suricata-socket", ids / "command.socket",
                 "--suricata-rules", ids / "epitope.rules", "--action", "alert"], folder / "center.log"))
        wait_until("the center's start", 30, lambda: "listening" in (folder / "center.log").read_text(errors="replace"))
        token = epitope(build, "local-center", "token", "--state", site, "--host", "bench-host").strip()
        epitope(build, "enroll", "--state", host, "--center", f"https://127.0.0.1:{port}", "--token", token)
        say(f"{runs} blocked calls")
        out = subprocess.run(
            [build / "epitope", "run", "--state", host, "--packets-per-day", str(runs + 10), "--",
             build / "call-series", str(runs), "1200", str(target)], check=True, capture_output=True, text=True).stdout
        results = [line.split() for line in out.splitlines()]
        if len(results) != runs or any(error != "1" for _, error in results):
            raise SystemExit(f"not every call was blocked with EPERM: {results}")
        say("bare reloads")
        control = SuricataSocket(str(ids / "command.socket"))
        reloads = [control.reload_ms() for _ in range(runs)]
        events = json.loads(epitope(build, "local-center", "events", "--state", site, "--json", "--limit", "100000"))
    blocked = {}
    for line in (host / "events.jsonl").read_text().splitlines():
        event = json.loads(line)
        if event["event"] == "packet-made":
            blocked[event["packet"]] = datetime.datetime.fromisoformat(event["stalledTime"]).timestamp() * 1000
    stored, live = {}, {}
    signature_of = {}
    for event in events:
        if event["step"] == "stored":
            stored[event["subject"]] = event["timeMilliseconds"]
        elif event["step"] == "signed":
            signature_of[event["subject"]] = event["detail"].split(",")[0]
        elif event["step"] == "delivered":
            live.setdefault(event["subject"], event["timeMilliseconds"])
    to_stored = [stored[packet] - time for packet, time in blocked.items() if packet in stored]
    to_live = [
        live[signature_of[packet]] - time for packet, time in blocked.items() if signature_of.get(packet) in live]
    if len(to_stored) != runs or len(to_live) != runs:
        raise SystemExit(f"of {runs} blocked calls {len(to_stored)} were stored and {len(to_live)} went live")
    return to_stored, to_live, reloads


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--calls", type=int, default=20000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="epitope-bench-"))
    try:
        costs = host_cost.measure(options.build, folder, options.calls, options.rounds, say)
        program = host_cost.program_cost(options.build, options.calls) if "agent" in costs else None
        to_stored, to_live, reloads = chain(options.build, folder, options.runs)
    except BaseException:
        for log in sorted(folder.glob("*.log")):
            say(f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}")
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)

    host_cost.show(costs, options.rounds, options.calls)
    if program:
        host_cost.show_program(program)
    print(f"\nFrom the blocked call, {options.runs} runs: milliseconds")
    print(f"{'':30}{'median':>10}{'worst':>10}")
    rows = [("to the packet stored", to_stored), ("to the rule live", to_live), ("Suricata's bare reload", reloads)]
    for name, values in rows:
        print(f"{name:30}{statistics.median(values):10.2f}{max(values):10.2f}")
    print(f"{'rule live less bare reload':30}{statistics.median(to_live) - statistics.median(reloads):10.2f}")
    print(
        f"\nRESULT {host_cost.keys(costs, program)}"
        f" blocked_to_stored_ms={statistics.median(to_stored):.2f} blocked_to_live_ms={statistics.median(to_live):.1f}"
        f" suricata_reload_ms={statistics.median(reloads):.1f}")


main()
