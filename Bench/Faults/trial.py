# SPDX-License-Identifier: Apache-2.0

"""One fault, as it is tried: a center in a folder of its own, and what is counted."""
import json
import os
import pathlib
import re
import signal
import ssl
import subprocess
import sys
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "Center"))
from running import Center, Load, Suricata  # noqa: E402
from bench_support import PATIENCE, eventually  # noqa: E402

# How long a center may take for a new attack: to acknowledge, to analyse, and to have its rule live.
ACKNOWLEDGED_S, ANALYSED_S, LIVE_S = 15 * PATIENCE, 20, 45
# How long after a fault rules may be missing: a look a minute, and a reload.
RESTORED_S = 90
# How long a center may take to end.
ENDED_S = 20 * PATIENCE
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"


def dated(shift=None, stamp=None):
    """An environment in which the clock is shifted ("-91d"), or is as a file says that may change; None: faketime is not installed."""
    if not pathlib.Path(FAKETIME).exists():
        return None
    how = {"FAKETIME": shift} if shift else {"FAKETIME_TIMESTAMP_FILE": str(stamp), "FAKETIME_NO_CACHE": "1"}
    return dict(os.environ, LD_PRELOAD=FAKETIME, FAKETIME_DONT_FAKE_MONOTONIC="1", **how)


class Trial:
    """One fault: a center in a folder of its own, and what is counted."""

    def __init__(self, name, options, suricata=True, beside=None):
        self.name, self.build, self.options = name, options.build, options
        self.folder = pathlib.Path(options.folder) / name
        self.folder.mkdir(parents=True)
        self.journal, self.stop = self.folder / "acknowledged", self.folder / "stop"
        self.counts = {"faults": 0, "acknowledged": 0, "lost": 0, "doubled": 0, "wedged": 0, "rules_lost": 0}
        self.notes, self.run, self.programs, self.mounts, self.others = [], 1000, [], [], []
        if beside:
            # What one site of a fault counts is the fault's.
            self.counts, self.notes, self.run = beside.counts, beside.notes, 5000 + 1000 * len(beside.others)
            beside.others.append(self)
        self.suricata = None
        if suricata and Suricata.is_here():
            self.start_suricata()
        self.center = None

    def start_suricata(self, **options):
        """Starts a Suricata, in place of one that there is."""
        if self.suricata:
            self.suricata.end()
        self.suricata = Suricata(self.folder / "suricata", **options)
        self.suricata.start()

    def beside(self, name, suricata=True):
        """Another site of the same fault."""
        return Trial(f"{self.name}/{name}", self.options, suricata, beside=self)

    def make_center(self, folder=None, name="site", environment=None, **settings):
        # Suricata's tests of rules, too, take longer on a busy machine.
        suricata = {"suricata": {"commandTimeout": 10 * PATIENCE}} if PATIENCE > 1 else {}
        self.center = Center(self.build, folder or self.folder / "center", settings={"updatesADay": 10000, **suricata, **settings},
                             name=name, suricata=self.suricata, log=self.folder / "serve.log", environment=environment)
        return self.center

    def note(self, kind, text):
        self.counts[kind] += 1
        self.notes.append(f"{kind}: {text}")

    def fault(self, count=1):
        self.counts["faults"] += count

    def load(self, seconds=None, codes=3, rate=150, connections=8):
        """Packets for some seconds, or until `self.stop` is made."""
        self.run += 1
        self.stop.unlink(missing_ok=True)
        return Load(self.build, self.center, "packets", "--seconds", seconds or 86400, "--stop", self.stop, "--codes", codes,
                    "--rate", rate,
                    "--connections", connections, "--hosts", connections, "--retry", 1, "--code-bytes", 512, "--run", self.run,
                    "--journal", self.journal)

    def is_under_load(self, load, within=ACKNOWLEDGED_S):
        """Whether packets are being acknowledged now, by a load that goes on."""
        def written():
            return self.journal.stat().st_size if self.journal.exists() else 0

        before = written()
        return eventually(within, lambda: written() > before or not load.runs, pause=0.02) and load.runs

    def attack(self, acknowledged_s=ACKNOWLEDGED_S, is_live=True, what="a new attack"):
        """Reports a new attack and expects it acknowledged, analysed and live."""
        self.run += 1
        begun = time.monotonic()
        before = self.center.delivered() if self.suricata else 0
        result = Load(self.build, self.center, "packets", "--seconds", acknowledged_s, "--count", 2, "--connections", 1, "--hosts", 1,
                      "--codes", 1, "--code-bytes", 512, "--retry", 1, "--run", self.run, "--prefix", f"fresh-{self.run}",
                      "--journal", self.journal,
                      ).result()
        took = time.monotonic() - begun
        if not result["acknowledged"] or took > acknowledged_s + 2:
            return self.note("wedged", f"{what} was not acknowledged in {acknowledged_s} s: {result['failures'] or result['refusals']}")
        if not eventually(ANALYSED_S, lambda: self.center.waiting()[0] == 0):
            return self.note("wedged", f"{what} was not analysed in {ANALYSED_S} s: {self.said()}")
        if self.suricata and is_live and not eventually(LIVE_S, lambda: self.center.delivered() > before, pause=0.2):
            return self.note("wedged", f"{what} was not live in {LIVE_S} s: {self.said()}")

    def said(self):
        """The last thing that the center's log complains of."""
        lines = [line for line in self.center.log.read_text(errors="replace").splitlines() if "error" in line.lower()]
        return lines[-1][:220] if lines else "its log says nothing"

    def start(self, what="the center", **options):
        """Starts the center, again and again for half a minute, as a service manager does."""
        failures, begun = 0, time.monotonic()
        while not (started := self.center.start(seconds=60, **options)) and time.monotonic() < begun + 30 * PATIENCE:
            failures += 1
            self.center.program.kill()
            time.sleep(1)
        if failures and started:
            self.notes.append(f"({what} started only at attempt {failures + 1}: {self.said()})")
        if not started:
            self.note("wedged", f"{what} did not start: {self.center.log.read_text(errors='replace').strip().splitlines()[-1:]}")
            return False
        return True

    def check(self):
        """Counts what is lost and doubled, in the store as it is after the center was killed."""
        if self.center.program:
            self.center.program.kill()
        stored = self.center.stored_ids()
        acknowledged = set(self.journal.read_text().split()) if self.journal.exists() else set()
        self.counts["acknowledged"] += len(acknowledged)
        if missing := acknowledged - set(stored):
            self.counts["lost"] += len(missing)
            self.notes.append(f"lost: {len(missing)} acknowledged packets are not in the store")
        told = [row[0] for row in self.center.rows("SELECT subject FROM events WHERE step = 'stored'")]
        for what, items in (("packets stored", stored), ("packets told as stored", told),
                            ("signatures in force", self.center.updates_in_force())):
            if (twice := len(items) - len(set(items))) > 0:
                self.counts["doubled"] += twice
                self.notes.append(f"doubled: {twice} {what}")
        if self.suricata:
            lines = re.findall(r"^(?!#).*\bsid:(\d+);", self.suricata.rules.read_text(), re.M)
            delivered = self.center.delivered()
            self.notes.append(f"({delivered} rules delivered, {len(set(lines))} in the file, {self.suricata.loaded()} in Suricata)")

    def check_rules(self, within=RESTORED_S):
        """Whether Suricata has the rules that the center holds for delivered, or gets them back in time."""
        if not self.suricata:
            return

        def missing():
            loaded = self.suricata.loaded()
            return max(0, self.center.delivered() - (loaded if loaded is not None else 0))

        if not eventually(within, lambda: missing() == 0, pause=0.5):
            count = missing()
            self.counts["rules_lost"] += count
            self.notes.append(f"rules_lost: {count} rules that the center holds for delivered are not in Suricata after {within} s")

    def signatures_in_file(self):
        """The signatures of the rules in Suricata's file."""
        return set(self.rule_numbers())

    def check_rules_of(self, signatures, within=RESTORED_S):
        """Whether Suricata has rules of these signatures, or gets them back in time; what the center's records say counts for nothing."""
        if not eventually(within, lambda: signatures <= self.signatures_in_file(), pause=0.5):
            count = len(signatures - self.signatures_in_file())
            self.counts["rules_lost"] += count
            self.notes.append(f"rules_lost: {count} of {len(signatures)} signatures have no rule any more after {within} s")
        self.check_rules(within)

    def expect(self, what, condition, within=LIVE_S, kind="wedged"):
        """Notes what did not come to hold in time; whether it did."""
        if eventually(within, condition, pause=0.2):
            return True
        self.note(kind, f"{what}: not in {within} s: {self.said()}")
        return False

    def rule_numbers(self):
        """The numbers (sids) of the rules in Suricata's file, by their signatures."""
        if not self.suricata or not self.suricata.rules.exists():
            return {}
        rules = re.findall(r"^(?!#)[^\n]*$", self.suricata.rules.read_text(), re.M)
        found = [(re.search(r"epitope_signature ([0-9a-f]+)", rule), re.search(r"\bsid:(\d+);", rule)) for rule in rules]
        return {signature[1]: int(sid[1]) for signature, sid in found if signature and sid}

    def has_rules(self, count):
        """Whether Suricata has loaded so many rules, and the file has them."""
        return len(self.rule_numbers()) == count and self.suricata.loaded() == count

    def problems(self):
        """The codes of what the center says that fails, by the part that fails."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        try:
            with urllib.request.urlopen(f"https://{self.center.address}/v1/health", context=context, timeout=5) as answer:
                return json.loads(answer.read())["problems"]
        except (OSError, ValueError):
            return {}

    def mount(self, *words, at):
        at.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", *words, str(at)], check=True)
        self.mounts.append(at)

    def end(self):
        for other in self.others:
            other.end()
        for program in self.programs:
            program.kill()
        if self.center and self.center.program:
            self.center.program.kill()
        if self.suricata:
            if self.suricata.program and self.suricata.program.runs:
                self.suricata.program.process.send_signal(signal.SIGCONT)
            self.suricata.end()
        for at in reversed(self.mounts):
            subprocess.run(["umount", "-l", str(at)], check=False)
