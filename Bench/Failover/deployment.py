# SPDX-License-Identifier: Apache-2.0

"""The five machines together, under load: what faults are tried on, and what came of each."""
import pathlib
import random
import time
import typing

from bench_support import eventually
from center_pair import DATABASES, Pair
from database import WHOLE_S, Database
from machines import make_network
from processes import signal_all
from receipts import Receipts
from running import Load

# How long after a fault is mended the centers may take to acknowledge again, and to analyse what they took.
GOES_ON_S, ANALYSED_S = 60, 120
# Until it says that no standby has what it stores.
UNREADY_S = 30
# Few enough for a debug build to analyse them as they come.
CONNECTIONS, RATE = 8, 25
# A line of the ledger.
RECEIPT_BYTES = 33
# What goes to the global centers: each packet is one more update, which the site gets by the feed.
TRUSTED, WORLD_RATE = "world-0", 1


class Target(typing.NamedTuple):
    """As a load takes its center."""
    address: str
    state: pathlib.Path


class Deployment:
    """The database, the centers, and the load."""

    def __init__(self, options):
        self.options, self.moments = options, random.Random(options.seed)
        self.folder = pathlib.Path(options.folder)
        make_network()
        self.database = Database(self.folder)
        self.pair = Pair(self.folder, options.build)
        self.centers = self.pair.machines
        self.primary = self.standby = self.other = None
        self.receipts, self.world_receipts, self.loads = None, self.folder / "world-receipts", []
        self.stop = self.folder / "stop"
        self.notes, self.wedged = [], 0

    def start(self):
        self.database.start()
        self.pair.start(TRUSTED)
        self.receipts = Receipts(self.folder / "receipts")
        self.begin(lambda machine: machine.local, "--codes", 3, "--rate", RATE, "--connections", CONNECTIONS, "--hosts", CONNECTIONS,
                   "--journal", self.receipts.path)
        self.begin(lambda machine: machine.world, "--rate", WORLD_RATE, "--connections", 1, "--hosts", 1, "--prefix", TRUSTED.rstrip("-0"),
                   "--run", 2, "--journal", self.world_receipts)
        if not eventually(GOES_ON_S, lambda: self.receipts.size > 0):
            raise SystemExit(f"nothing is acknowledged: {self.said()}")

    def begin(self, which, *words):
        """Load on both centers of a kind, until the end."""
        self.loads.append(Load(self.options.build, Target(self.pair.addresses(which), which(self.centers[0]).state), "packets",
                               "--seconds", 86400, "--stop", self.stop, "--retry", 1, "--code-bytes", 512, *words))

    def wedge(self, text):
        self.wedged += 1
        self.notes.append(f"wedged: {text}")

    def said(self):
        return "; ".join(center.said() for center in self.centers)

    # What faults ask for.

    def worker(self):
        """The center that does the work."""
        return self.pair.worker(self.database)

    def etcd_leader(self):
        return self.database.etcd_leader()

    def send(self, processes, number):
        signal_all(processes, number)

    def expect_unready(self, code):
        """Notes it where no center says so by itself."""
        if not eventually(UNREADY_S, lambda: all(code in center.unready() for center in self.centers), pause=0.5):
            self.wedge(f"the centers do not say {code} in {UNREADY_S} s: {[center.unready() for center in self.centers]}")

    def expect_no_receipts(self, size):
        """Notes what was acknowledged since the ledger had a size: there is no second machine that has it."""
        if grown := self.receipts.size - size:
            self.wedge(f"{grown / RECEIPT_BYTES:.0f} packets were acknowledged that the primary's disk alone had")

    def switch_over(self):
        """A planned change of the primary."""
        if told := self.database.switch_over(self.primary, self.standby):
            self.wedge(f"a planned change of the primary failed: {told}")

    def hold(self, seconds):
        """Lets a fault last. The short form doesn't wait for longer than until writes go on."""
        if not self.options.short:
            return time.sleep(seconds)
        time.sleep(min(seconds, 3))
        begun = time.monotonic()
        eventually(seconds, lambda: self.receipts.longest_pause(time.monotonic() - 1) < 0.5 or time.monotonic() > begun + seconds)

    def roles_are_known(self):
        """Looks which machine is what. Just after an etcd is back there may be no standby for a moment."""
        self.primary, self.standby, self.other = self.database.primary(), self.database.standby(), self.database.other()
        return None not in (self.standby, self.other)

    def attempt(self, fault):
        """Tries a fault at a random moment. Its row: how long writes stopped, which machines were the primary, how long until all is whole."""
        if not eventually(WHOLE_S, self.roles_are_known, pause=0.5):
            raise SystemExit(f"not every machine has its part {WHOLE_S} s after the last fault: {self.database.state()}")
        time.sleep(self.moments.uniform(0.5, 4))
        since, rewinds = time.monotonic(), self.database.rewinds()
        fault(self)
        for machine in [*self.database.nodes, *self.centers]:
            machine.mend()
        mended = time.monotonic()
        if not eventually(WHOLE_S, self.database.is_whole, pause=0.3):
            self.wedge(f"{fault.__name__}: the database is not whole {WHOLE_S} s after: {self.database.state()}")
        whole = time.monotonic() - mended
        size = self.receipts.size
        if not eventually(GOES_ON_S, lambda: self.receipts.size > size and all(center.answers() for center in self.centers), pause=0.1):
            self.wedge(f"{fault.__name__}: the centers don't go on: {self.said()}")
        if not eventually(GOES_ON_S, lambda: not any(center.unready() for center in self.centers), pause=0.5):
            unready = {center.name: center.unready() for center in self.centers}
            self.wedge(f"{fault.__name__}: centers are not ready {GOES_ON_S} s after the database is whole: {unready}")
        after = self.database.primary()
        return {"name": fault.__name__, "stopped": self.receipts.longest_pause(since), "whole": whole,
                "primary": f"{self.primary.name} to {after.name}" if after is not self.primary else after.name, "rewinds": self.database.rewinds() - rewinds}

    def end_load(self):
        """Ends the load, which sends again what is under way until it is acknowledged; the figures of what went to the site."""
        self.stop.touch()
        results = [load.result(120) for load in self.loads]
        for name in DATABASES.values():
            before = self.waiting(name)
            if not eventually(ANALYSED_S, lambda name=name: self.waiting(name) == 0, pause=0.5):
                self.wedge(f"{self.waiting(name)} packets in {name} wait for their analysis {ANALYSED_S} s after the load, when {before} did")
        return results[0]

    def waiting(self, name):
        """How many packets in a database wait for their analysis; None: it doesn't answer."""
        rows = self.database.primary().sql("SELECT count(*) FROM epitope.waiting_reports", database=name)
        return int(rows[0][0]) if rows else None

    def world_ids(self):
        return self.world_receipts.read_text().split() if self.world_receipts.exists() else []

    def end(self):
        for load in self.loads:
            load.process.kill()
        self.pair.end()
        self.database.end()
