# SPDX-License-Identifier: Apache-2.0

"""Trials of a center by faults. Usage: faults.py BUILD_FOLDER [options], see Bench/Faults/faults.

Each fault has a center (and most a Suricata) of its own, under a load of packets that are sent again, with their ids, until
they are acknowledged, as a host's spool does. After the fault four things are counted:

  lost        packets that were acknowledged and are not in the store
  doubled     packets stored, or rules in force, twice
  wedged      something that is expected to go on and did not: a new attack is not acknowledged, not analysed or not live within
              its time, a center does not start or does not end
  rules_lost  rules that the center had made live, and that Suricata does not have a minute and a half after the fault
"""
import argparse
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "Center"))
from running import Center, Load, Program, Suricata  # noqa: E402
from bench_support import eventually, say  # noqa: E402

# How long a center may take for a new attack: to acknowledge, to analyse, and to have its rule live.
ACKNOWLEDGED_S, ANALYSED_S, LIVE_S = 15, 20, 45
# How long after a fault rules may be missing: a look a minute, and a reload.
RESTORED_S = 90
# How long a center may take to end.
ENDED_S = 20
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"


class Trial:
    """One fault: a center in a folder of its own, and what is counted."""

    def __init__(self, name, options, suricata=True):
        self.name, self.build, self.options = name, options.build, options
        self.folder = pathlib.Path(options.folder) / name
        self.folder.mkdir(parents=True)
        self.journal, self.stop = self.folder / "acknowledged", self.folder / "stop"
        self.counts = {"faults": 0, "acknowledged": 0, "lost": 0, "doubled": 0, "wedged": 0, "rules_lost": 0}
        self.notes, self.run, self.programs, self.mounts = [], 1000, [], []
        self.suricata = None
        if suricata and Suricata.is_here():
            self.suricata = Suricata(self.folder / "suricata")
            self.suricata.start()
        self.center = None

    def make_center(self, folder=None, **settings):
        self.center = Center(self.build, folder or self.folder / "center", settings={"updatesADay": 10000, **settings},
                             suricata=self.suricata, log=self.folder / "serve.log")
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
        return Load(self.build, self.center, "packets", "--seconds", seconds or 86400, "--stop", self.stop, "--codes", codes, "--rate", rate,
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
                      "--codes", 1, "--code-bytes", 512, "--retry", 1, "--run", self.run, "--prefix", f"fresh-{self.run}", "--journal", self.journal,
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
        while not (started := self.center.start(seconds=60, **options)) and time.monotonic() < begun + 30:
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
        return set(re.findall(r"^(?!#).*\bepitope_signature ([0-9a-f]+)", self.suricata.rules.read_text(), re.M)) if self.suricata else set()

    def check_rules_of(self, signatures, within=RESTORED_S):
        """Whether Suricata has rules of these signatures, or gets them back in time; what the center's records say counts for nothing."""
        if not eventually(within, lambda: signatures <= self.signatures_in_file(), pause=0.5):
            count = len(signatures - self.signatures_in_file())
            self.counts["rules_lost"] += count
            self.notes.append(f"rules_lost: {count} of {len(signatures)} signatures have no rule any more after {within} s")
        self.check_rules(within)

    def mount(self, *words, at):
        at.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", *words, str(at)], check=True)
        self.mounts.append(at)

    def end(self):
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


# --- the faults

def kills(trial):
    """kill -9 at random moments under load"""
    count = trial.options.kills
    moments = random.Random(trial.options.seed)
    center = trial.make_center()
    if not trial.start():
        return
    load = trial.load()
    for _ in range(count):
        # The load goes on through every kill: an idle center has nothing to lose.
        if not trial.is_under_load(load):
            trial.note("wedged", f"no packet was acknowledged in {ACKNOWLEDGED_S} s after a start: {trial.said()}")
            break
        time.sleep(moments.uniform(0.05, 1.5))
        center.program.kill()
        trial.fault()
        if not trial.start("the center, after a kill,"):
            break
    trial.stop.touch()
    load.result()
    trial.attack()
    trial.check_rules(20)
    trial.check()


def full_disk(trial):
    """a full disk, then room again"""
    room = trial.folder / "small"
    trial.mount("-t", "tmpfs", "-o", "size=48m", "tmpfs", at=room)
    center = trial.make_center(room / "center")
    if not trial.start():
        return
    trial.attack()
    load = trial.load(seconds=14)
    time.sleep(3)
    filler = room / "filler"
    trial.fault()
    filler.touch()
    try:
        with open(filler, "wb", buffering=0) as file:
            while file.write(bytes(4096)) == 4096:
                pass
    except OSError:
        pass
    time.sleep(5)
    if not center.program.runs:
        trial.note("wedged", f"the center ended on the full disk: {trial.said()}")
    filler.unlink()
    load.result()
    if not center.program.runs and not trial.start("the center, with room again,"):
        return
    trial.attack()
    trial.check_rules(20)
    trial.check()


def read_only_disk(trial):
    """a file system that turns read-only (ext4's own answer to an error), and is mended"""
    image, at = trial.folder / "image", trial.folder / "disk"
    with open(image, "wb") as file:
        file.truncate(96 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True)
    try:
        trial.mount("-o", "loop", str(image), at=at)
    except subprocess.CalledProcessError:
        trial.notes.append("(left out: this machine has no loop devices)")
        return
    center = trial.make_center(at / "center")
    if not trial.start():
        return
    trial.attack()
    load = trial.load(seconds=8)
    time.sleep(2)
    trial.fault()
    subprocess.run(["mount", "-o", "remount,abort", str(at)], check=False, capture_output=True)
    time.sleep(3)
    center.program.kill()
    # Before the disk is mended a start must end with a word, not hang.
    if center.start(seconds=20) or center.program.runs:
        trial.notes.append("(it starts on the read-only disk)")
    center.program.kill()
    subprocess.run(["umount", str(at)], check=True)
    trial.mounts.remove(at)
    subprocess.run(["e2fsck", "-p", str(image)], check=False, capture_output=True)
    trial.mount("-o", "loop", str(image), at=at)
    if not trial.start("the center, on the mended disk,"):
        return
    load.result()
    trial.attack()
    trial.check_rules(20)
    trial.check()


def clock(trial, step, name):
    """The clock steps, stays so for some seconds, and is set right."""
    if not pathlib.Path(FAKETIME).exists():
        trial.notes.append("(left out: faketime is not installed)")
        return
    center = trial.make_center()
    if not trial.start():
        return
    trial.attack()
    trial.attack()
    packets, rules = len(center.stored_ids()), center.delivered()
    center.end()
    stamp = trial.folder / "stamp"
    stamp.write_text("+0\n")
    environment = dict(os.environ, LD_PRELOAD=FAKETIME, FAKETIME_TIMESTAMP_FILE=str(stamp), FAKETIME_NO_CACHE="1",
                       FAKETIME_DONT_FAKE_MONOTONIC="1")
    # The library is preloaded below another program.
    if not trial.start("the center, under faketime,", before=["env"], env=environment):
        return
    time.sleep(2)
    trial.fault()
    stamp.write_text(f"{step}\n")
    time.sleep(12)
    stamp.write_text("+0\n")
    time.sleep(3)
    kept, in_force = len(center.stored_ids()), center.delivered_in_force()
    if kept < packets:
        trial.counts["lost"] += packets - kept
        trial.notes.append(f"lost: {packets - kept} of {packets} packets were removed while the clock was {name}")
    if in_force < rules:
        trial.counts["rules_lost"] += rules - in_force
        trial.notes.append(f"rules_lost: {rules - in_force} of {rules} rules ended while the clock was {name}")
    trial.attack(what="a new attack after the clock was set right")
    trial.check_rules(20)
    trial.center.end()


def clock_forward(trial):
    """the clock steps 100 days forward, and back after some seconds"""
    clock(trial, "+100d", "ahead")


def clock_back(trial):
    """the clock steps two days back, and is set right after some seconds"""
    clock(trial, "-2d", "behind")


def clock_ahead_at_start(trial):
    """the center starts with a clock that is 80 days ahead, and is started again with the right one"""
    center = trial.make_center()
    if not trial.start():
        return
    trial.attack()
    packets, rules = len(center.stored_ids()), center.delivered()
    center.end()
    trial.fault()
    environment = dict(os.environ, LD_PRELOAD=FAKETIME, FAKETIME="+80d", FAKETIME_DONT_FAKE_MONOTONIC="1")
    center.start(seconds=20, before=["env"], env=environment)
    time.sleep(8)
    center.program.kill()
    if not trial.start("the center, with the right clock,"):
        return
    if (kept := len(center.stored_ids())) < packets:
        trial.counts["lost"] += packets - kept
        trial.notes.append(f"lost: {packets - kept} of {packets} packets were removed by the wrong clock")
    if (in_force := center.delivered_in_force()) < rules:
        trial.counts["rules_lost"] += rules - in_force
        trial.notes.append(f"rules_lost: {rules - in_force} of {rules} rules ended by the wrong clock")
    trial.attack()
    trial.check_rules(20)


def suricata_killed(trial):
    """Suricata is killed, an attack comes, Suricata is started again"""
    trial.make_center()
    if not trial.start():
        return
    trial.attack()
    trial.suricata.program.kill()
    trial.fault()
    trial.attack(is_live=False, what="an attack while Suricata is away")
    time.sleep(2)
    trial.suricata.start()
    if not eventually(LIVE_S, lambda: trial.center.delivered() == 2, pause=0.5):
        trial.note("wedged", f"the rule of the time without Suricata was not live in {LIVE_S} s: {trial.said()}")
    trial.check_rules()
    trial.check()


def suricata_stopped(trial):
    """Suricata hangs (SIGSTOP) while attacks come, and the center is to end; then it goes on"""
    center = trial.make_center(suricata={"commandTimeout": 2, "reloadTimeout": 4})
    if not trial.start():
        return
    trial.attack()
    trial.suricata.program.process.send_signal(signal.SIGSTOP)
    trial.fault()
    for _ in range(3):
        trial.attack(is_live=False, what="an attack while Suricata hangs")
        time.sleep(4)
    if not center.end(ENDED_S):
        trial.note("wedged", f"the center did not end in {ENDED_S} s after SIGTERM while Suricata hung")
    if not trial.start("the center, beside a Suricata that hangs,"):
        return
    time.sleep(2)
    trial.suricata.program.process.send_signal(signal.SIGCONT)
    if not eventually(LIVE_S, lambda: center.delivered() == 4, pause=0.5):
        trial.note("wedged", f"the rules were not live {LIVE_S} s after Suricata went on: {trial.said()}")
    trial.check_rules()
    trial.check()


def stuck_reload(trial):
    """Suricata stops in the middle of a reload, and goes on later"""
    center = trial.make_center(suricata={"commandTimeout": 2, "reloadTimeout": 3})
    if not trial.start():
        return
    trial.attack()
    before = trial.suricata.rules.stat().st_mtime_ns
    load = trial.load(seconds=5, codes=1, rate=2, connections=1)
    trial.fault()
    # The file is written just before the reload.
    eventually(10, lambda: trial.suricata.rules.stat().st_mtime_ns != before, pause=0.0005)
    trial.suricata.program.process.send_signal(signal.SIGSTOP)
    load.result()
    time.sleep(8)
    trial.suricata.program.process.send_signal(signal.SIGCONT)
    if not eventually(LIVE_S, lambda: center.delivered() >= 2, pause=0.5):
        trial.note("wedged", f"the rule was not live {LIVE_S} s after Suricata went on: {trial.said()}")
    trial.attack()
    trial.check_rules(20)
    trial.check()


def rules_emptied(trial):
    """somebody empties the rules file and has it reloaded"""
    trial.make_center()
    if not trial.start():
        return
    trial.attack()
    trial.suricata.rules.write_text("")
    trial.suricata.ask("ruleset-reload-rules")
    trial.fault()
    trial.check_rules()
    trial.check()


def rules_emptied_while_away(trial):
    """somebody empties the rules file while the center is away"""
    center = trial.make_center()
    if not trial.start():
        return
    trial.attack()
    center.end()
    trial.suricata.rules.write_text("")
    trial.suricata.ask("ruleset-reload-rules")
    trial.fault()
    if trial.start():
        trial.check_rules(20)
    trial.check()


def global_center_away(trial):
    """the global center is killed; the site goes on; the global center comes back"""
    world = Center(trial.build, trial.folder / "world", kind="global-center", name="world")
    center = trial.make_center(forwardsADay=1000, updatesTo="both")
    if not world.start():
        return trial.note("wedged", "the global center did not start")
    trial.programs.append(world.program)
    center.command("link", "--center", f"https://{world.address}", "--token", world.command("token", "--site", "site").strip())
    if not trial.start():
        return
    trial.attack()
    if not eventually(30, lambda: len(world.stored_ids()) >= 2, pause=0.2):
        trial.note("wedged", f"nothing reached the global center: {trial.said()}")
    before = len(world.stored_ids())
    world.program.kill()
    trial.fault()
    trial.attack(what="an attack without the global center")
    world.start()
    trial.programs.append(world.program)
    if not eventually(60, lambda: len(world.stored_ids()) >= before + 2, pause=0.5):
        trial.note("wedged", f"what waited did not reach the global center in 60 s: {trial.said()}")
    trial.check()


def connected(center, count):
    """Silent TCP connections, as many as get in."""
    held = []
    for _ in range(count):
        try:
            held.append(socket.create_connection(("127.0.0.1", center.port), timeout=2))
        except OSError:
            break
    return held


def raise_limit(count):
    import resource
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))


def half_open(trial):
    """4,200 connections that say nothing"""
    center = trial.make_center()
    if not trial.start():
        return
    raise_limit(8192)
    held = connected(center, 4200)
    trial.fault()
    trial.attack(acknowledged_s=20, what=f"an attack beside {len(held)} silent connections")
    for connection in held:
        connection.close()
    trial.check()


def few_descriptors(trial):
    """more silent connections than the center has descriptors (soft limit 256)"""
    center = trial.make_center()
    if not trial.start(before=["bash", "-c", 'ulimit -S -n 256; exec "$@"', "bash"]):
        return
    held = connected(center, 300)
    trial.fault()
    time.sleep(1)
    cpu = center.program.cpu_seconds()
    time.sleep(3)
    if (used := center.program.cpu_seconds() - cpu) > 1.5:
        trial.note("wedged", f"the center uses {used / 3 * 100:.0f} % of a core while it can't accept")
    trial.attack(acknowledged_s=20, what=f"an attack beside {len(held)} silent connections")
    for connection in held:
        connection.close()
    trial.check()


def slow_request(trial):
    """a request whose body comes a byte at a time, while the center is to end"""
    center = trial.make_center()
    if not trial.start():
        return
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    held = context.wrap_socket(socket.create_connection(("127.0.0.1", center.port)), server_hostname="127.0.0.1")
    held.sendall(b"POST /v1/enroll HTTP/1.1\r\nhost: x\r\ncontent-length: 32000\r\n\r\n")
    trial.fault()
    center.program.process.send_signal(signal.SIGTERM)
    end = time.monotonic() + ENDED_S
    while time.monotonic() < end and center.program.runs:
        try:
            held.sendall(b"{")
        except OSError:
            pass
        time.sleep(1)
    if center.program.runs:
        trial.note("wedged", f"the center did not end in {ENDED_S} s after SIGTERM while a request trickled in")
    held.close()
    trial.check()


def damaged(trial, table, column, value, what):
    center = trial.make_center()
    if not trial.start():
        return
    trial.attack()
    trial.attack()
    center.end()
    with sqlite3.connect(center.state / "center.sqlite") as store:
        first = store.execute(f"SELECT min(rowid) FROM {table}").fetchone()[0]
        delivered = trial.signatures_in_file()
        store.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (value, first))
    trial.fault()
    if not trial.start(f"the center, with {what},"):
        return
    trial.attack(what=f"a new attack beside {what}")
    trial.check_rules_of(delivered)
    trial.check()


def damaged_packet(trial):
    """a stored packet that can't be decoded, before its analysis"""
    center = trial.make_center()
    if not trial.start():
        return
    trial.attack()
    center.end()
    with sqlite3.connect(center.state / "center.sqlite") as store:
        store.execute(
            "INSERT INTO reports (id, kind, role, name, received_ms, packet) VALUES ('x', 'packet', 'host', 'h', ?, ?)",
            (int(time.time() * 1000), os.urandom(200)))
        store.execute("INSERT INTO waiting_reports (report_seq) SELECT seq FROM reports WHERE id = 'x'")
    trial.fault()
    if trial.start():
        trial.attack(what="a new attack behind a packet that can't be decoded")
    trial.check()


def damaged_cluster(trial):
    """a cluster whose signature can't be read"""
    damaged(trial, "clusters", "signature", "{", "a damaged cluster")


def damaged_update(trial):
    """an update whose body can't be read"""
    damaged(trial, "updates", "body", "{", "a damaged update")


def two_processes(trial):
    """a second center process on the same state folder"""
    center = trial.make_center()
    if not trial.start():
        return
    trial.attack()
    second = Program(center.words("serve", "--listen", "127.0.0.1:0", "--config", center.config), trial.folder / "second.log")
    trial.programs.append(second)
    trial.fault()
    if not eventually(10, lambda: not second.runs):
        trial.note("wedged", "a second process serves the same state folder; each has clusters in memory of its own")
    second.kill()
    trial.attack()
    trial.check()


def rules_file_of_another(trial):
    """another center is pointed at the same rules file"""
    center = trial.make_center()
    if not trial.start():
        return
    trial.attack()
    before = center.delivered()
    other = Center(trial.build, trial.folder / "other", settings={"updatesADay": 10000}, name="other", suricata=trial.suricata)
    other.start()
    trial.programs.append(other.program)
    trial.fault()
    mine, trial.center = trial.center, other
    trial.run += 1
    Load(trial.build, other, "packets", "--seconds", 30, "--count", 2, "--connections", 1, "--hosts", 1, "--codes", 1, "--code-bytes",
         512, "--run", trial.run).result()
    time.sleep(5)
    trial.center = mine
    loaded = trial.suricata.rules.read_text().count("\nalert ") + trial.suricata.rules.read_text().startswith("alert ")
    other.program.kill()
    if other.delivered() and loaded < before + other.delivered():
        trial.counts["rules_lost"] += before
        trial.notes.append(f"rules_lost: another center wrote over the rules file; {before} rules of the first are gone, {loaded} left")
    trial.check()


def certificate_expired(trial):
    """a center that was off until its own certificate had expired"""
    if not pathlib.Path(FAKETIME).exists():
        trial.notes.append("(left out: faketime is not installed)")
        return
    folder = trial.folder / "center"
    trial.make_center()
    shutil.rmtree(folder / "state")
    environment = dict(os.environ, LD_PRELOAD=FAKETIME, FAKETIME="-91d", FAKETIME_DONT_FAKE_MONOTONIC="1")
    subprocess.run(["env", *map(str, trial.center.words("init", "--name", "site", "--address", "127.0.0.1"))], env=environment, check=True,
                   capture_output=True)
    trial.fault()
    if trial.start("the center, whose certificate has expired,"):
        trial.attack()
        trial.check()


def capture_just_begun(trial):
    """the newest file of the benign captures is empty when the attack comes, and has its packets later"""
    ring = trial.folder / "ring"
    ring.mkdir()
    header = bytes.fromhex("d4c3b2a1020004000000000000000000000004000100000001")[:24]
    (ring / "1.pcap").write_bytes(header)
    (ring / "2.pcap").write_bytes(b"")
    trial.make_center(benignCaptures=[str(ring)])
    if not trial.start():
        return
    trial.fault()
    trial.attack(is_live=False)
    time.sleep(2)
    (ring / "2.pcap").write_bytes(header)
    if not eventually(60, lambda: trial.center.delivered() > 0, pause=0.5):
        trial.note("wedged", f"the attack's rule was never live, a minute after the capture was whole: {trial.said()}")
    trial.check()


SHORT = [kills, two_processes, damaged_packet, damaged_update, rules_emptied_while_away, certificate_expired]
ALL = [kills, full_disk, read_only_disk, clock_forward, clock_back, clock_ahead_at_start, suricata_killed, suricata_stopped, stuck_reload,
       rules_emptied, rules_emptied_while_away, global_center_away, half_open, few_descriptors, slow_request, damaged_packet,
       damaged_cluster, damaged_update, two_processes, rules_file_of_another, certificate_expired, capture_just_begun]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--debug", action="store_true")
    parser.add_argument("--kills", type=int)
    parser.add_argument("--only")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep")
    options = parser.parse_args()
    if options.only == "list":
        print("\n".join(f"{fault.__name__:26} {fault.__doc__.splitlines()[0]}" for fault in ALL))
        return
    chosen = SHORT if options.short else ALL
    if options.only:
        chosen = [fault for fault in ALL if fault.__name__ in options.only.split()]
        if len(chosen) != len(options.only.split()):
            raise SystemExit("--only takes some of: " + " ".join(fault.__name__ for fault in ALL))
    options.kills = options.kills or (5 if options.short else 200)
    # On the disk, not in a tmpfs: commits wait for it.
    options.folder = options.keep or tempfile.mkdtemp(prefix="epitope-faults.", dir="/var/tmp")
    say(f"random moments from seed {options.seed}" + ("" if Suricata.is_here() else "; Suricata is not installed: nothing goes live"))
    total, rows = {}, []
    try:
        for fault in chosen:
            begun = time.monotonic()
            say(f"\n== {fault.__name__}: {fault.__doc__.splitlines()[0]}")
            trial = Trial(fault.__name__, options)
            try:
                fault(trial)
            finally:
                trial.end()
            for note in trial.notes:
                say(f"  {note}")
            for kind, count in trial.counts.items():
                total[kind] = total.get(kind, 0) + count
            rows.append((fault.__name__, trial.counts, time.monotonic() - begun))
    finally:
        if not options.keep:
            shutil.rmtree(options.folder, ignore_errors=True)
    print(f"\n{'fault':26} {'times':>6} {'stored':>7} {'lost':>5} {'doubled':>8} {'wedged':>7} {'rules lost':>11} {'s':>5}")
    for name, counts, seconds in rows:
        print(f"{name:26} {counts['faults']:6} {counts['acknowledged']:7} {counts['lost']:5} {counts['doubled']:8} {counts['wedged']:7} "
              f"{counts['rules_lost']:11} {seconds:5.0f}")
    print("\nRESULT " + " ".join(f"{name}={count}" for name, count in total.items()))
    raise SystemExit(any(total[name] for name in ("lost", "doubled", "wedged", "rules_lost")))


if __name__ == "__main__":
    main()
