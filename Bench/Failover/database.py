# SPDX-License-Identifier: Apache-2.0

"""Three machines with PostgreSQL, Patroni and etcd, set up from the files of Examples/failover."""
import http.client
import json
import pathlib
import shutil
import subprocess
import urllib.request

from bench_support import eventually
from examples import FOLDER, PASSWORDS, environment, filled
from machines import Machine
from processes import descendants
from services import Service

PROGRAMS = "/usr/lib/postgresql/15/bin"
PLAIN = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
# Room for a database of one machine: small enough to be filled.
DISK, ETCD_DISK = "2g", "256m"
# How long three machines may take to be whole again: a copy of the database is part of it.
WHOLE_S = 120
# And one of them to be the primary.
PRIMARY_S = 60


class Node:
    """A machine of the database: etcd, and Patroni with the PostgreSQL that it runs."""

    def __init__(self, number, folder):
        self.machine = Machine(f"db{number}", 10 + number)
        self.name = self.machine.name
        self.folder = pathlib.Path(folder) / self.name
        self.disk, self.sockets, self.etcd_disk = self.folder / "disk", self.folder / "sockets", self.folder / "etcd"
        for at in (self.disk, self.sockets, self.etcd_disk):
            at.mkdir(parents=True)
        # Each machine has disks of its own: what others do on this machine's real one is not to slow all three at once.
        for at, size in ((self.disk, DISK), (self.etcd_disk, ETCD_DISK)):
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(at)], check=True)
        self.filler = self.disk / "filler"
        self.settings = self.folder / "patroni.yml"
        self.settings.write_text(filled("patroni.yml", self.machine, {
            "/var/lib/postgresql/15/epitope": self.disk / "data", "/var/lib/postgresql/.pgpass-patroni": self.folder / "pgpass",
            "unix_socket_directories: /var/run/postgresql": f"unix_socket_directories: {self.sockets}",
            # To the measure of the disk.
            "max_wal_size: 1GB": "max_wal_size: 256MB", "wal_keep_size: 1GB": "wal_keep_size: 256MB",
            # Beside the site's database one of a global center.
            "host epitope epitope": "host epitope,world epitope",
            # This machine's own, if it has one, is not to be touched.
            "mode: automatic": "mode: \"off\""}))
        for at in (self.folder, self.disk, self.etcd_disk, self.sockets, self.settings):
            shutil.chown(at, "postgres", "postgres")
        self.settings.chmod(0o600)
        etcd = environment("etcd", self.machine, {"/var/lib/etcd/epitope": self.etcd_disk / "epitope"})
        # As their units have them started again.
        self.etcd = Service(self.machine, ["etcd"], self.folder / "etcd.log", user="postgres", after=1, env={**PLAIN, **etcd})
        self.patroni = Service(self.machine, ["patroni", self.settings], self.folder / "patroni.log", user="postgres", after=1,
                               rest=self.processes_of_postgres, cwd=self.folder, env=PLAIN)

    def start(self):
        self.etcd.start()
        self.patroni.start()

    def ask(self, path, port=8008, body=None, seconds=2.0):
        """What Patroni (or etcd) says; None: nothing of use."""
        data = json.dumps(body).encode() if body is not None else None
        try:
            with urllib.request.urlopen(f"http://{self.machine.address}:{port}{path}", data, timeout=seconds) as answer:
                return json.loads(answer.read())
        except (OSError, ValueError, http.client.HTTPException):
            return None

    def postgres(self):
        """The id of the first process of PostgreSQL; None: there is none."""
        try:
            number = int((self.disk / "data/postmaster.pid").read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return None
        return number if pathlib.Path(f"/proc/{number}").exists() else None

    def processes_of_postgres(self):
        """The ids of all processes of PostgreSQL."""
        first = self.postgres()
        return [first, *descendants(first)] if first else []

    def die(self):
        """As by a power cut: nothing of it comes back until it is started."""
        for service in (self.patroni, self.etcd):
            service.is_wanted = False
        self.machine.kill()

    def fill_disk(self):
        with open(self.filler, "wb", buffering=0) as file:
            for size in (1 << 20, 4096):
                try:
                    while file.write(bytes(size)) == size:
                        pass
                except OSError:
                    pass

    def mend(self):
        """Undoes whatever a fault did."""
        self.machine.thaw()
        self.machine.join()
        self.filler.unlink(missing_ok=True)
        self.start()

    def sql(self, text, database="postgres", seconds=10):
        """Rows, as superuser on this machine; None: it doesn't answer."""
        try:
            out = self.machine.run(f"{PROGRAMS}/psql", "-h", self.sockets, "-v", "ON_ERROR_STOP=1", "-XqAtc", text, database,
                                   user="postgres", timeout=seconds, env=PLAIN)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            return None
        return [line.split("|") for line in out.splitlines()]


class Database:
    """The three machines together."""

    def __init__(self, folder):
        self.nodes = [Node(number, folder) for number in (1, 2, 3)]

    def start(self):
        for node in self.nodes:
            node.start()
        if not eventually(WHOLE_S, lambda: self.is_whole(), pause=0.3):
            raise SystemExit(f"the database did not become whole in {WHOLE_S} s: {self.state()}")
        primary = self.primary()
        # As documented.
        primary.machine.run(f"{PROGRAMS}/psql", "-h", primary.sockets, "-v", "ON_ERROR_STOP=1", "-Xq", "-v",
                            f"password={PASSWORDS['DATABASE_PASSWORD']}", "-f", FOLDER / "database.sql", "postgres", user="postgres")
        primary.sql("CREATE DATABASE world OWNER epitope TEMPLATE template0 ENCODING UTF8")

    def roles(self):
        """By the first machine that answers, the role of each that Patroni knows, with its state, timeline and lag in bytes."""
        for node in self.nodes:
            if told := node.ask("/cluster"):
                return {member["name"]: member for member in told["members"]}
        return {}

    def of_role(self, *roles):
        named = [name for name, member in self.roles().items() if member["role"] in roles]
        return next((node for node in self.nodes if node.name in named), None)

    def primary(self):
        """The one that can be written, which is waited for."""
        found = []
        if not eventually(PRIMARY_S, lambda: found.append(self.of_role("leader", "master", "primary")) or found[-1], pause=0.5):
            raise SystemExit(f"the database has no primary in {PRIMARY_S} s: {self.state()}")
        return found[-1]

    def standby(self):
        """The one that commits wait for."""
        return self.of_role("sync_standby")

    def other(self):
        """The one that they don't wait for."""
        return self.of_role("replica")

    def is_whole(self):
        """Whether there is one primary, with both others behind it by nothing to speak of, and every etcd answers."""
        roles = self.roles()
        if sorted(member["role"] for member in roles.values()) != ["leader", "replica", "sync_standby"]:
            return False
        if any(member["state"] not in ("running", "streaming") for member in roles.values()):
            return False
        if len({member.get("timeline") for member in roles.values()}) != 1:
            return False
        if not all((node.ask("/health", port=2379) or {}).get("health") == "true" for node in self.nodes):
            return False
        streams = self.primary().sql("SELECT application_name, sync_state FROM pg_stat_replication WHERE state = 'streaming'"
                                     " AND pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn) < 16777216") or []
        return sorted(state for _, state in streams) == ["async", "sync"]

    def state(self):
        return {name: f"{member['role']} {member['state']} timeline {member.get('timeline')}" for name, member in self.roles().items()}

    def etcd_leader(self):
        """The machine whose etcd leads."""
        for node in self.nodes:
            told = node.ask("/v3/maintenance/status", port=2379, body={})
            if told and told["header"]["member_id"] == told.get("leader"):
                return node
        return None

    def switch_over(self, primary, candidate):
        """A planned change of the primary, as an operator asks for it; what was said where it failed."""
        done = subprocess.run(["patronictl", "-c", str(primary.settings), "switchover", "--master", primary.name, "--candidate", candidate.name,
                               "--force"], capture_output=True, text=True, env=PLAIN)
        return None if done.returncode == 0 else (done.stdout + done.stderr).strip().splitlines()[-1:]

    def rewinds(self):
        """How many old primaries were taken back so far."""
        return sum(node.patroni.log.read_text(errors="replace").count("pg_rewind exit code=0") for node in self.nodes
                   if node.patroni.log.exists())

    def end(self):
        for node in self.nodes:
            node.machine.thaw()
            node.die()
            for disk in (node.disk, node.etcd_disk):
                subprocess.run(["umount", "-l", str(disk)], check=False)
