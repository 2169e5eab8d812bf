# SPDX-License-Identifier: Apache-2.0

"""Two machines with a local center of one site, and a global one that it is linked to: each pair over one database.

The second machine's are copies of the first's (backup and restore), as an operator makes them.
"""
import json
import pathlib
import ssl
import subprocess
import time
import urllib.request

from bench_support import eventually
from examples import FOLDER, filled
from machines import Machine
from services import Service

# Port, and that of the metrics.
PORTS = {"local-center": (7443, 9464), "global-center": (8443, 9465)}
DATABASES = {"local-center": "epitope", "global-center": "world"}
STARTED_S = 60
# What this trial does without, and bounds that its load would meet.
ABSENT = ("goodware", "suricata")
UNBOUNDED = {"requireGoodware": False, "megabytesPerReporter": 1_000_000, "updatesADay": 100_000}


class Center:
    """A center of one kind on one of the machines."""

    def __init__(self, kind, machine, folder, build):
        self.kind, self.machine, self.epitope = kind, machine, pathlib.Path(build) / "epitope"
        port, metrics = PORTS[kind]
        self.metrics = f"127.0.0.1:{metrics}"
        self.address = f"{machine.address}:{port}"
        self.state, self.config, self.passwords = folder / kind, folder / f"{kind}.json", folder / "pgpass"
        self.passwords.write_text(filled("pgpass", machine).replace(":epitope:epitope:", ":*:epitope:"))
        settings = json.loads((FOLDER / "local-center.json").read_text())
        for name in ABSENT:
            del settings[name]
        settings["store"]["postgresql"] = settings["store"]["postgresql"].replace("dbname=epitope", f"dbname={DATABASES[kind]}")
        settings["centers"] = [address.replace(f":{PORTS['local-center'][0]}", f":{port}") for address in settings["centers"]]
        settings["metrics"] = self.metrics
        self.config.write_text(json.dumps({**UNBOUNDED, **settings}))
        for secret in (self.passwords, self.config):
            secret.chmod(0o600)
        self.environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PGPASSFILE": str(self.passwords)}
        # As its unit has it started again.
        self.service = Service(machine, self.words("serve", "--listen", self.address, "--config", self.config), folder / f"{kind}.log",
                               after=2, env=self.environment)

    def words(self, *words):
        return [self.epitope, self.kind, *words, "--state", self.state]

    def command(self, *words):
        """What a command prints. It is repeated while the database has no primary, as on a busy machine."""
        begun = time.monotonic()
        while True:
            try:
                return self.machine.run(*self.words(*words), env=self.environment, timeout=120)
            except subprocess.CalledProcessError as error:
                if "[store-failed]" not in error.stderr or time.monotonic() > begun + STARTED_S:
                    raise SystemExit(f"epitope {self.kind} {words[0]} on {self.machine.name}: {error.stderr}") from None
            time.sleep(1)

    def make(self, name, addresses):
        """Makes the center, with a certificate for the addresses of both."""
        self.command("init", "--name", name, "--config", self.config, *[word for one in addresses for word in ("--address", one)])

    def copy(self, other):
        """Makes this center one with the other."""
        backup = self.state.with_suffix(".backup")
        other.command("backup", "--with-key", "--output", backup)
        self.command("restore", "--from", backup)
        backup.unlink()

    def answers(self):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        try:
            with urllib.request.urlopen(f"https://{self.address}/v1/health", context=context, timeout=3) as answer:
                return answer.status == 200
        except (OSError, ValueError):
            return False

    def unready(self):
        """Why it is not ready (codes), or serves less well; an empty list: it is."""
        try:
            told = json.loads(self.machine.run("curl", "-s", "-m", "3", f"http://{self.metrics}/ready", timeout=5))
            return [reason["code"] for reason in told["reasons"] + told["degraded"]]
        except (subprocess.SubprocessError, ValueError):
            return ["no answer"]

    def said(self):
        """The last thing that its log complains of."""
        lines = [line for line in self.service.log.read_text(errors="replace").splitlines() if "error" in line.lower()]
        return lines[-1][:250] if lines else "its log says nothing"


class CenterMachine:
    """A machine with a center of each kind."""

    def __init__(self, number, folder, build):
        self.machine = Machine(f"center{number}", 20 + number)
        self.name = self.machine.name
        folder = pathlib.Path(folder) / self.name
        folder.mkdir()
        self.local, self.world = self.centers = [Center(kind, self.machine, folder, build) for kind in PORTS]

    def start(self):
        for center in self.centers:
            center.service.start()

    def kill(self):
        for center in self.centers:
            center.service.kill()

    def restart(self):
        """An orderly end, and a start; whether it ended in time."""
        ended = [center.service.end() for center in self.centers]
        self.start()
        return all(ended)

    def mend(self):
        self.machine.thaw()
        self.machine.join()
        self.start()

    def answers(self):
        return all(center.answers() for center in self.centers)

    def unready(self):
        """Why a center of it does not do all that it should, by its own word (codes); an empty list: each does."""
        return [code for center in self.centers for code in center.unready()]

    def said(self):
        return "; ".join(f"{center.kind} of {self.name}: {center.said()}" for center in self.centers)

    def end(self):
        self.machine.thaw()
        for center in self.centers:
            center.service.kill(comes_back=False)
        self.machine.kill()


class Pair:
    """Both machines."""

    def __init__(self, folder, build):
        self.machines = [CenterMachine(number, folder, build) for number in (1, 2)]

    def addresses(self, which):
        """The addresses of both centers of a kind, as a load takes them."""
        return ",".join(which(machine).address for machine in self.machines)

    def start(self, trusted):
        """Makes and starts all four.

        - `trusted`: the host whose reports the global center publishes.
        """
        first, second = self.machines
        addresses = [machine.machine.address for machine in self.machines]
        first.world.make("world", addresses)
        second.world.copy(first.world)
        first.local.make("site", addresses)
        for machine in self.machines:
            machine.world.service.start()
        self.require(lambda: all(machine.world.answers() for machine in self.machines))
        first.world.command("token", "--host", trusted)
        first.world.command("trust", "--host", trusted)
        token = first.world.command("token", "--site", "site").strip()
        worlds = [word for machine in self.machines for word in ("--center", f"https://{machine.world.address}")]
        first.local.command("link", *worlds, "--token", token)
        second.local.copy(first.local)
        for machine in self.machines:
            machine.start()
        self.require(lambda: all(machine.answers() for machine in self.machines))

    def require(self, condition):
        if not eventually(STARTED_S, condition, pause=0.2):
            raise SystemExit("a center does not answer: " + "; ".join(machine.said() for machine in self.machines))

    def worker(self, database):
        """The machine whose local center does the work; the first, if none does."""
        sql = "SELECT holder FROM epitope.work_lease WHERE until_ms > extract(epoch FROM clock_timestamp()) * 1000"
        rows = database.primary().sql(sql, database=DATABASES["local-center"]) or []
        return next((machine for machine in self.machines if [machine.name] in rows), self.machines[0])

    def end(self):
        for machine in self.machines:
            machine.end()
