# SPDX-License-Identifier: Apache-2.0

"""The host benchmark. Usage: host.py BUILD_FOLDER [--runs N] [--calls N] [--rounds N] [--only calls|chain]

Run by Bench/Host/bench-host in a network namespace of its own. It measures
1. what protection costs benign calls and real loads (host_cost.py);
2. the time from a blocked call to its packet in the center's store and to its rule live in Suricata, beside the
   reload that the same Suricata needs by itself: of the first call of a fresh `epitope run`, made as soon as its command
   runs, and of later calls.
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

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "Support"))
from bench_support import eventually, free_port, say, suricata_settings  # noqa: E402


def wait_until(what, seconds, ready):
    if not eventually(seconds, ready):
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


def epitope(build, *words):
    done = subprocess.run([build / "epitope", *words], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"epitope {' '.join(map(str, words))}: {done.stderr}")
    return done.stdout


class Latency:
    """Of one kind of blocked call, in milliseconds: to its packet made, on the host's disk, stored at the center, and to its
    rule live."""

    def __init__(self):
        self.made, self.spooled, self.stored, self.live = [], [], [], []


# How many fresh processes make one blocked call each, as soon as they run.
FRESH_RUNS = 10
# Between one blocked call and the next, in milliseconds: a rule is live by then, and Suricata reloads nothing.
PAUSE_MS = 1200


def series(build, host, count, target, packets_a_day):
    """Runs a fresh `epitope run` whose command makes `count` blocked calls."""
    out = subprocess.run(
        [build / "epitope", "run", "--state", host, "--packets-per-day", str(packets_a_day), "--",
         build / "call-series", str(count), str(PAUSE_MS), str(target)], check=True, capture_output=True, text=True).stdout
    results = [line.split() for line in out.splitlines()]
    if len(results) != count or any(error != "1" for _, error in results):
        raise SystemExit(f"not every call was blocked with EPERM: {results}")


def milliseconds(time):
    return datetime.datetime.fromisoformat(time).timestamp() * 1000


def chain(build, folder, runs):
    """One site on loopback: fresh processes that make one blocked call each, then one that makes `runs` of them, one after
    the other; all of unlike code.

    Returns the latencies of the first call of each process, those of the others, and Suricata's bare reloads.
    """
    site, host, ids = folder / "site", folder / "host", folder / "suricata"
    ids.mkdir()
    (ids / "epitope.rules").write_text("")
    (ids / "suricata.yaml").write_text(suricata_settings(ids, "lo"))
    port, target = free_port(), free_port()
    configuration = folder / "center.json"
    goodware = folder / "goodware.index"
    say("building a goodware index of /usr/sbin")
    epitope(build, "goodware", "build", "/usr/sbin", "--output", goodware)
    configuration.write_text(json.dumps({"updatesADay": 3 * (FRESH_RUNS + runs + 10), "forwarding": False, "goodware": str(goodware)}))
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
        say(f"{FRESH_RUNS} fresh processes that make a blocked call, and one that makes {runs}")
        packets = FRESH_RUNS + runs
        for _ in range(FRESH_RUNS):
            series(build, host, 1, target, packets + 10)
        series(build, host, runs, target, packets + 10)
        say("bare reloads")
        control = SuricataSocket(str(ids / "command.socket"))
        reloads = [control.reload_ms() for _ in range(runs)]
        events = json.loads(epitope(build, "local-center", "events", "--state", site, "--json", "--limit", "100000"))
    blocked, is_first, made, spooled = {}, {}, {}, {}
    for line in (host / "events.jsonl").read_text().splitlines():
        event = json.loads(line)
        if event["event"] == "packet-made":
            # The fresh processes' packets came first, then that of the series' first call.
            is_first[event["packet"]] = len(blocked) <= FRESH_RUNS
            blocked[event["packet"]] = milliseconds(event["stalledTime"])
            made[event["packet"]] = milliseconds(event["time"])
        elif event["event"] == "spooled":
            spooled.setdefault(event["packet"], milliseconds(event["time"]))
    stored, live = {}, {}
    signature_of = {}
    for event in events:
        if event["step"] == "stored":
            stored[event["subject"]] = event["timeMilliseconds"]
        elif event["step"] == "signed":
            signature_of[event["subject"]] = event["detail"].split(",")[0]
        elif event["step"] == "delivered":
            live.setdefault(event["subject"], event["timeMilliseconds"])
    first, later = Latency(), Latency()
    for packet, time_blocked in blocked.items():
        kind = first if is_first[packet] else later
        kind.made.append(made[packet] - time_blocked)
        if packet in spooled:
            kind.spooled.append(spooled[packet] - time_blocked)
        if packet in stored:
            kind.stored.append(stored[packet] - time_blocked)
        if signature_of.get(packet) in live:
            kind.live.append(live[signature_of[packet]] - time_blocked)
    all_stored, all_live = len(first.stored + later.stored), len(first.live + later.live)
    if all_stored != packets or all_live != packets:
        raise SystemExit(f"of {packets} blocked calls {all_stored} were stored and {all_live} went live")
    return first, later, reloads


def show_chain(first, later, reloads):
    """Prints the latencies, and returns what a script reads."""
    print(f"\nFrom the blocked call: milliseconds; {len(first.stored)} first calls of fresh processes, {len(later.stored)} later ones")
    print(f"{'':36}{'median':>10}{'worst':>10}")
    rows = [
        ("first call, to the packet made", first.made), ("first call, to it on the host's disk", first.spooled),
        ("first call, to the packet stored", first.stored),
        ("later call, to the packet made", later.made), ("later call, to it on the host's disk", later.spooled),
        ("later call, to the packet stored", later.stored),
        ("first call, to the rule live", first.live), ("later call, to the rule live", later.live),
        ("Suricata's bare reload", reloads)]
    for name, values in rows:
        print(f"{name:36}{statistics.median(values):10.2f}{max(values):10.2f}")
    reload_ms = statistics.median(reloads)
    for name, values in (("first", first.live), ("later", later.live)):
        print(f"{f'{name} call, live less bare reload':36}{statistics.median(values) - reload_ms:10.2f}")
    return (
        f"first_blocked_to_stored_ms={statistics.median(first.stored):.2f}"
        f" blocked_to_stored_ms={statistics.median(later.stored):.2f}"
        f" first_blocked_to_live_ms={statistics.median(first.live):.1f}"
        f" blocked_to_live_ms={statistics.median(later.live):.1f}"
        f" suricata_reload_ms={reload_ms:.1f}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--calls", type=int, default=20000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", choices=["calls", "chain"], help="measure only what calls cost, or only the way to the rule")
    options = parser.parse_args()
    # Ended from outside, it ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="epitope-bench-"))
    try:
        keys = []
        if options.only != "chain":
            costs = host_cost.measure(options.build, folder, options.calls, options.rounds, say)
            program = host_cost.program_cost(options.build, options.calls) if "agent" in costs else None
            floor = host_cost.call_floor(options.build, options.calls, options.rounds)
            keys.append(host_cost.keys(costs, floor, program))
        if options.only != "calls":
            first, later, reloads = chain(options.build, folder, options.runs)
    except BaseException:
        for log in sorted(folder.glob("*.log")):
            say(f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}")
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)

    if options.only != "chain":
        host_cost.show(costs, options.rounds, options.calls)
        host_cost.show_floor(costs, floor)
        if program:
            host_cost.show_program(program)
    if options.only != "calls":
        keys.append(show_chain(first, later, reloads))
    print(f"\nRESULT {' '.join(keys)}")


main()
