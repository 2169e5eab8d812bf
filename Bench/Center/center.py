# SPDX-License-Identifier: Apache-2.0

"""The center's benchmark. Usage: center.py BUILD_FOLDER [--quick] [--only "PHASE..."] [--crowdsec FILES] [--keep FOLDER]
    [--soak-seconds N] [--soak-rate N]

Run by Bench/Center/bench-center in a network namespace of its own. Real programs, real TLS 1.3 with client certificates, real
stores on this machine's disk; load and center share the machine. Each phase has a center, or a store, of its own:

  empty     packets that are all different, into an empty store; enrolments; hosts connected at a time
  full      the same packets into a store with 200,000 packets in 50,000 clusters; before it, what an idle center costs
  outbreak  one code from 50,000 hosts, three packets each, with Suricata; each host has its own certificate and connection
  crowdsec  alerts of the same size into CrowdSec's local API, over TLS
  soak      only where it is named: packets at a steady rate for an hour, whose memory and latency must stay flat

Each packet that was acknowledged is looked for in the store after the center was killed (SIGKILL).
"""
import argparse
import contextlib
import json
import pathlib
import shutil
import subprocess
import tempfile
import time

from crowdsec import CrowdSec
from running import Center, Load, Newcomers, Suricata, Watch
# Running knows where it is.
from bench_support import eventually, say

PHASES = ["empty", "enrol", "connect", "full", "outbreak", "crowdsec"]
# Too long to be part of each run.
LONG_PHASES = ["soak"]
# Of the soak: different codes, of which each comes again and again; a run of the load; how long it takes to settle; by how much
# memory may grow after that, and the slow answers of its last third be slower than those of its first.
SOAK_CODES, SOAK_RUN_S, SOAK_SETTLING, SOAK_MEMORY_MB, SOAK_LATENCY = 20_000, 60, 0.2, 32, 1.5


class Sizes:
    def __init__(self, quick):
        self.seconds = 5 if quick else 20
        self.drain_seconds = 10 if quick else 60
        self.seed_packets, self.seed_clusters = (20_000, 5_000) if quick else (200_000, 50_000)
        self.outbreak_hosts, self.outbreak_seconds = (2_000, 20) if quick else (50_000, 180)
        self.connect_hosts, self.connect_seconds = (6_000, 20) if quick else (50_000, 240)
        self.connect_stay = 10 if quick else 40


class Bench:
    def __init__(self, build, folder, sizes):
        self.build, self.folder, self.sizes = pathlib.Path(build), folder, sizes
        self.keys, self.rows = {}, []
        self.acknowledged, self.lost, self.memory_mb, self.behind_s, self.run = 0, 0, 0.0, None, 1
        # Whether the soak's memory and latency were.
        self.flat = True

    def center(self, name, suricata=None):
        return Center(self.build, self.folder / name, settings={"updatesADay": 3}, suricata=suricata)

    def row(self, what, result, center, watch=None):
        self.rows.append((what, result, center.program.memory_mb(), watch))

    def packets(self, center, what):
        """A run of packets that are all different."""
        self.run += 1
        journal = center.folder / f"acknowledged-{self.run}"
        watch, newcomers = Watch(center), Newcomers(self.build, center, self.run)
        result = Load(self.build, center, "packets", "--seconds", self.sizes.seconds, "--run", self.run, "--journal", journal).result()
        backlog, _ = center.waiting()
        watch.end()
        newcomers.end()
        watch.newcomer = newcomers.worst
        self.row(what, result, center, watch)
        say(f"  {what}: {result['per_s']:.0f} a second, p50 {result['p50_ms']:.0f} ms, p99 {result['p99_ms']:.0f} ms, "
            f"{backlog} wait for the analysis; {newcomers.count} packets of new hosts were analysed within {newcomers.worst:.2f} s")
        for kind in ("refusals", "failures"):
            if result[kind]:
                say(f"    {kind}: {result[kind]}")
        return result, watch, journal

    def settle(self, center):
        """Waits for the analysis, within bounds; how long it took, None: longer."""
        begun = time.monotonic()
        done = eventually(self.sizes.drain_seconds, lambda: center.waiting()[0] == 0, pause=0.25)
        return time.monotonic() - begun if done else None

    def check(self, center, *journals):
        """Kills the center, and looks for what it acknowledged in its store."""
        self.memory_mb = max(self.memory_mb, center.program.memory_mb())
        center.program.kill()
        stored = set(center.stored_ids())
        for journal in journals:
            ids = set(journal.read_text().split()) if journal.exists() else set()
            self.acknowledged += len(ids)
            self.lost += len(ids - stored)

    # --- phases

    def empty(self):
        center = self.center("empty")
        center.start()
        try:
            result, watch, journal = self.packets(center, "empty store")
            settled = self.settle(center)
            say("    the analysis caught up " + (f"after {settled:.1f} s" if settled is not None else "not in time")
                + f"; the oldest packet waited {watch.worst:.1f} s at most")
            self.keys.update(
                packets_per_s=round(result["per_s"]), p50_ms=round(result["p50_ms"], 1), p99_ms=round(result["p99_ms"], 1),
                analysed_behind_s=round(watch.worst, 1), new_host_analysed_s=round(watch.newcomer, 2))
            self.check(center, journal)
        finally:
            center.end()

    def enrol(self):
        center = self.center("enrol")
        center.start()
        try:
            result = Load(self.build, center, "enrol", "--seconds", 5).result()
            self.row("enrolments", result, center)
            say(f"  enrolments: {result['per_s']:.0f} a second")
            self.keys["enrolments_per_s"] = round(result["per_s"])
        finally:
            center.end()

    def connect(self):
        center = self.center("connect")
        center.start()
        try:
            load = Load(
                self.build, center, "connect", "--hosts", self.sizes.connect_hosts, "--seconds", self.sizes.connect_seconds,
                "--stay", self.sizes.connect_stay)
            used = [center.program.cpu_seconds()]
            while load.runs:
                time.sleep(1)
                used.append(center.program.cpu_seconds())
            result = load.result()
            # Of the last seconds, in which all were there.
            since = used[-min(len(used), self.sizes.connect_stay - 2)]
            cpu = (used[-1] - since) * 100 / max(1, min(len(used), self.sizes.connect_stay - 2) - 1)
            memory = center.program.memory_mb()
            say(f"  {result['seen']} of {self.sizes.connect_hosts} hosts let in: {result['connected']} stay connected, {result['polling']} are to "
                f"come again; center's memory {memory:.0f} MB, and {cpu:.1f} % of a processor while they are there")
            self.keys.update(hosts_connected=result["connected"], hosts_seen=result["seen"], hosts_memory_mb=round(memory),
                             hosts_cpu_percent=round(cpu, 1))
            self.memory_mb = max(self.memory_mb, memory)
        finally:
            center.end()

    def full(self):
        center = self.center("full")
        begun = time.monotonic()
        self.seed(center)
        say(f"  {self.sizes.seed_packets} packets in {self.sizes.seed_clusters} clusters stored in {time.monotonic() - begun:.0f} s")
        begun = time.monotonic()
        if not center.start(seconds=180):
            say("  the center did not start on the full store")
            return
        say(f"  started in {time.monotonic() - begun:.1f} s")
        try:
            time.sleep(3)
            cpu = center.program.cpu_seconds()
            time.sleep(10)
            self.keys["idle_cpu_percent"] = round((center.program.cpu_seconds() - cpu) * 10, 1)
            result, watch, journal = self.packets(center, "full store")
            self.settle(center)
            self.keys.update(full_per_s=round(result["per_s"]), full_p99_ms=round(result["p99_ms"], 1),
                             full_behind_s=round(watch.worst, 1), full_new_host_analysed_s=round(watch.newcomer, 2))
            if self.keys.get("packets_per_s"):
                self.keys["full_store_ratio"] = round(result["per_s"] / self.keys["packets_per_s"], 3)
            self.check(center, journal)
        finally:
            center.end()

    def seed(self, center):

        subprocess.run(
            [self.build / "center-load", "seed", "--state", center.state, "--packets", str(self.sizes.seed_packets), "--clusters",
             str(self.sizes.seed_clusters)], check=True, stdout=subprocess.DEVNULL)

    def outbreak(self):
        suricata = None
        if Suricata.is_here():
            suricata = Suricata(self.folder / "suricata")
            suricata.start()
        else:
            say("  Suricata is not installed: no rule goes live in the outbreak")
        center = self.center("outbreak", suricata)
        center.start()
        journal = center.folder / "acknowledged"
        try:
            watch = Watch(center)
            load = Load(self.build, center, "outbreak", "--hosts", self.sizes.outbreak_hosts, "--seconds", self.sizes.outbreak_seconds,
                        "--journal", journal)
            load.process.stdout.readline()
            begun = time.time()
            result = load.result()
            watch.end()
            self.row("outbreak", result, center, watch)
            say(f"  outbreak: {result['per_s']:.0f} packets a second; {result['hosts_done']} of {self.sizes.outbreak_hosts} hosts done, "
                f"{result['acknowledged']} packets acknowledged, {result['told_to_wait']} told to wait, {result['refused']} refused, "
                f"{result['unanswered']} unanswered; memory {center.program.memory_mb():.0f} MB")
            for kind in ("refusals", "failures"):
                if result[kind]:
                    say(f"    {kind}: {result[kind]}")
            self.keys.update(
                outbreak_per_s=round(result["per_s"]), outbreak_hosts=result["hosts_done"], outbreak_told_to_wait=result["told_to_wait"],
                outbreak_unanswered=result["unanswered"] + result["refused"])
            if suricata:
                eventually(10, lambda: center.first_event("delivered"))
                live = center.first_event("delivered")
                say("    the rule was live " + (f"{live - begun:.1f} s after the first packet" if live else "at no time"))
                if live:
                    self.keys["outbreak_rule_s"] = round(max(0.0, live - begun), 1)
            self.check(center, journal)
        finally:
            center.end()
            if suricata:
                suricata.end()

    def crowdsec(self, files):
        peer = CrowdSec(files, self.folder / "crowdsec")
        if not peer.is_here:
            say("  CrowdSec is not here (above is why): crowdsec_per_s is left out")
            return
        token, why = peer.start()
        try:
            if token is None:
                say(f"  CrowdSec's local API does not run: {why}")
                return
            body = self.folder / "alert.json"
            body.write_text(json.dumps(peer.alert(8000)))

            done = subprocess.run(
                [self.build / "center-load", "post", "--server", f"127.0.0.1:{peer.port}", "--path", "/v1/alerts", "--body", body,
                 "--seconds", str(self.sizes.seconds), "--header", f"authorization: Bearer {token}", "--header",
                 "user-agent: crowdsec/1.4.6"], check=True, capture_output=True, text=True).stdout
            result = json.loads(done.splitlines()[-1])
            say(f"  CrowdSec's local API: {result['per_s']:.0f} alerts a second, p50 {result['p50_ms']:.0f} ms, "
                f"p99 {result['p99_ms']:.0f} ms")
            self.rows.append(("CrowdSec's local API", result, peer.program.memory_mb(), None))
            self.keys["crowdsec_per_s"] = round(result["per_s"])
        finally:
            peer.end()

    def soak(self, seconds, rate):
        """Packets at a rate, one run of the load after the other, with what each shows."""
        if not rate:
            rate = self.keys.get("packets_per_s", 0) / 2
        if not rate:
            raise SystemExit("soak: give --soak-rate, or measure the rate in the same run (--only \"empty soak\")")
        center = self.center("soak")
        center.start()
        minutes, journals = [], []
        watch = Watch(center)
        try:
            say(f"  {rate:.0f} packets a second for {seconds} s, of {SOAK_CODES} different codes")
            for number in range(max(1, round(seconds / SOAK_RUN_S))):
                journal = center.folder / f"acknowledged-{number}"
                # One run's ids are not another's, but the codes are the same.
                result = Load(self.build, center, "packets", "--seconds", SOAK_RUN_S, "--run", 1000 + number, "--code-run", 1000,
                              "--codes", SOAK_CODES, "--rate", rate, "--journal", journal).result()
                journals.append(journal)
                result["mb"], (result["waiting"], result["behind_s"]) = center.program.memory_mb("VmRSS"), center.waiting()
                minutes.append(result)
                say(f"    {(number + 1) * SOAK_RUN_S:5d} s: {result['per_s']:.0f} a second, p50 {result['p50_ms']:.1f} ms, p99 "
                    f"{result['p99_ms']:.1f} ms, {result['waiting']} wait for the analysis, {result['mb']:.0f} MB")
                for kind in ("refusals", "failures"):
                    if result[kind]:
                        say(f"      {kind}: {result[kind]}")
            watch.end()
            settled = minutes[int(len(minutes) * SOAK_SETTLING):]
            third = max(1, len(settled) // 3)
            early, late = settled[:third], settled[-third:]
            memory = [max(minute["mb"] for minute in part) for part in (early, late)]
            slow = [sorted(minute["p99_ms"] for minute in part)[len(part) // 2] for part in (early, late)]
            self.flat = memory[1] - memory[0] <= SOAK_MEMORY_MB and slow[1] <= max(10, slow[0] * SOAK_LATENCY)
            self.keys.update(
                soak="ok" if self.flat else "failed", soak_seconds=len(minutes) * SOAK_RUN_S, soak_rate=round(rate),
                soak_per_s=round(sum(minute["per_s"] for minute in minutes) / len(minutes)), soak_mb_early=round(memory[0]),
                soak_mb_late=round(memory[1]), soak_p99_ms_early=round(slow[0], 1), soak_p99_ms_late=round(slow[1], 1),
                soak_behind_s=round(watch.worst, 1), soak_told_to_wait=sum(minute["told_to_wait"] for minute in minutes))
            self.check(center, *journals)
        finally:
            center.end()

    # --- the end

    def table(self):
        print(f"\n{'':22} {'a second':>9} {'p50 ms':>9} {'p99 ms':>9} {'stored':>8} {'wait':>6} {'none':>6} {'behind s':>9} {'MB':>6}")
        for what, result, memory, watch in self.rows:
            print(f"{what:22} {result['per_s']:9.0f} {result['p50_ms']:9.1f} {result['p99_ms']:9.1f} {result['acknowledged']:8} "
                  f"{result['told_to_wait']:6} {result['unanswered'] + result['refused']:6} "
                  f"{f'{watch.worst:.1f}' if watch else '':>9} {memory:6.0f}")
        print("\nwhat fleets report of others (read, not measured here): Elastic Fleet Server 10 enrolments a second, 50,000 agents with 8 GB")
        print("and 384 GB of Elasticsearch; SPIRE 5,000 agents on two servers of 8 cores; Velociraptor 10,000 to 15,000 hosts a server;")
        print("OpenCTI's users 0.7 acknowledged messages a second with 40 containers")

    def result(self):
        wanted = ["packets_per_s", "crowdsec_per_s", "full_store_ratio", "outbreak_per_s", "p50_ms", "p99_ms", "analysed_behind_s"]
        self.keys.update(memory_mb=round(self.memory_mb), acknowledged=self.acknowledged, lost=self.lost)
        wanted += ["memory_mb", "acknowledged", "lost", "idle_cpu_percent", "enrolments_per_s", "hosts_connected", "hosts_seen", "hosts_memory_mb"]
        names = [name for name in wanted if name in self.keys] + [name for name in self.keys if name not in wanted]
        print("\nRESULT " + " ".join(f"{name}={self.keys[name]}" for name in names))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default=" ".join(PHASES))
    parser.add_argument("--crowdsec", default="/nonexistent")
    parser.add_argument("--keep")
    parser.add_argument("--soak-seconds", type=int, default=3600)
    parser.add_argument("--soak-rate", type=float, default=0)
    options = parser.parse_args()
    phases = options.only.split()
    if unknown := set(phases) - set(PHASES + LONG_PHASES):
        raise SystemExit(f"no such phase: {' '.join(unknown)}; there are {' '.join(PHASES + LONG_PHASES)}")
    # On the disk, not in a tmpfs: commits wait for it.
    folder = pathlib.Path(options.keep or tempfile.mkdtemp(prefix="epitope-bench-center.", dir="/var/tmp"))
    folder.mkdir(parents=True, exist_ok=True)
    bench = Bench(options.build, folder, Sizes(options.quick))
    with contextlib.ExitStack() as stack:
        if not options.keep:
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        for phase in PHASES + LONG_PHASES:
            if phase not in phases:
                continue
            say(f"\n== {phase}")
            begun = time.monotonic()
            if phase == "crowdsec":
                bench.crowdsec(options.crowdsec)
            elif phase == "soak":
                bench.soak(options.soak_seconds, options.soak_rate)
            else:
                getattr(bench, phase)()
            say(f"  ({time.monotonic() - begun:.0f} s)")
    bench.table()
    bench.result()
    raise SystemExit(0 if bench.lost == 0 and bench.flat else 1)


if __name__ == "__main__":
    main()
