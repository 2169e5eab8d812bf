# SPDX-License-Identifier: Apache-2.0

"""Centers and Suricatas of a benchmark's or a fault trial's own: started, watched, and ended by their ids."""
import contextlib
import json
import pathlib
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "Support"))
from bench_support import eventually, free_port, suricata_settings  # noqa: E402
from processes import Program  # noqa: E402


class Center:
    """A local (or global) center with a state folder of its own on loopback."""

    def __init__(self, build, folder, kind="local-center", settings=None, name="site", suricata=None, log=None, host="127.0.0.1",
                 environment=None):
        self.build, self.folder, self.kind, self.suricata = pathlib.Path(build), pathlib.Path(folder), kind, suricata
        self.state = self.folder / "state"
        self.name, self.host = name, host
        # Of its commands, `serve` among them; None: this process's.
        self.environment = environment
        self.port = free_port()
        self.folder.mkdir(parents=True, exist_ok=True)
        # Not on a disk that a trial fills.
        self.log = pathlib.Path(log or self.folder / "serve.log")
        self.config = self.log.with_name(f"{self.log.stem}-settings.json")
        self.set(**(settings or {}))
        self.command("init", "--name", name, "--address", host)
        self.program = None

    def set(self, **settings):
        """Writes the settings file."""
        self.config.write_text(json.dumps({"requireGoodware": False, "megabytesPerReporter": 1_000_000, **settings}))

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    def words(self, *words):
        # A library to preload is for a program below another one.
        before = ["env"] if self.environment else []
        return [*before, self.build / "epitope", self.kind, *words, "--state", self.state]

    def command(self, *words, check=True):
        done = subprocess.run(self.words(*words), capture_output=True, text=True, timeout=120, env=self.environment)
        if check and done.returncode != 0:
            raise SystemExit(f"epitope {self.kind} {' '.join(map(str, words))}: {done.stderr}")
        return done.stdout

    def start(self, seconds=60, before=(), **options):
        """Whether it listens within so many seconds."""
        words = self.words("serve", "--listen", self.address, "--config", self.config)
        if self.suricata:
            words += ["--suricata-socket", self.suricata.socket, "--suricata-rules", self.suricata.rules]
        said = self.log.stat().st_size if self.log.exists() else 0
        self.program = Program([*before, *words], self.log, **{"env": self.environment, **options})

        def listens():
            with open(self.log, "rb") as log:
                log.seek(said)
                return b"listening on" in log.read() or not self.program.runs

        return eventually(seconds, listens) and self.program.runs

    def rows(self, sql, *arguments):
        """Rows of its store, read beside it. The only place that knows the store's tables."""
        with contextlib.closing(sqlite3.connect(f"file:{self.state}/center.sqlite?mode=ro", uri=True, timeout=20)) as store:
            return store.execute(sql, arguments).fetchall()

    def waiting(self):
        """How many packets wait for their analysis, and for how many seconds the oldest has."""
        count, oldest = self.rows(
            "SELECT (SELECT count(*) FROM waiting_reports),"
            " (SELECT r.received_ms FROM waiting_reports w JOIN reports r ON r.seq = w.report_seq ORDER BY w.report_seq LIMIT 1)")[0]
        return count, max(0.0, time.time() - oldest / 1000) if oldest else 0.0

    def stored_ids(self):
        return [row[0] for row in self.rows("SELECT id FROM reports")]

    def first_event(self, step):
        """When the first event of a step was, in seconds since 1970; None: there is none."""
        return (self.rows("SELECT min(time_ms) FROM events WHERE step = ?", step)[0][0] or 0) / 1000 or None

    def updates_in_force(self):
        """The proven updates' signatures."""
        return [row[0] for row in self.rows("SELECT signature_id FROM updates WHERE state = 'proven'")]

    def delivered(self):
        """How many rules the center holds for delivered to the IDS."""
        return self.rows("SELECT count(*) FROM deliveries WHERE target = 'ids' AND state = 'delivered'")[0][0]

    def delivered_in_force(self):
        """How many of the rules that were delivered are in force."""
        return self.rows(
            "SELECT count(*) FROM deliveries d JOIN updates u ON u.id = d.update_id"
            " WHERE d.target = 'ids' AND d.state = 'delivered' AND u.state = 'proven'")[0][0]

    def end(self, seconds=20):
        return self.program is None or self.program.end(seconds)


class Suricata:
    """A Suricata that holds Epitope's rules alone and captures an interface on which nothing is sent.

    `rules`: their file, if not in its own folder. `seen_in`: a folder in which it sees the file, as in a container.
    """

    def __init__(self, folder, rules=None, seen_in=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.socket, self.seen_in = self.folder / "command.socket", seen_in
        self.rules = pathlib.Path(rules or self.folder / "epitope.rules")
        if self.rules.parent.exists():
            self.rules.touch()
        listed = self.rules if seen_in is None else pathlib.Path(seen_in) / self.rules.name
        (self.folder / "suricata.yaml").write_text(
            suricata_settings(self.folder, "idle0").replace("rule-files: [epitope.rules]", f"rule-files: [{listed}]"))
        if subprocess.run(["ip", "link", "show", "idle0"], capture_output=True).returncode != 0:
            subprocess.run(["ip", "link", "add", "idle0", "type", "veth", "peer", "name", "idle1"], check=True)
            for end in ("idle0", "idle1"):
                subprocess.run(["ip", "link", "set", end, "up"], check=True)
        self.program = None

    @staticmethod
    def is_here():
        return shutil.which("suricata") is not None

    def start(self):
        self.socket.unlink(missing_ok=True)
        words = ["suricata", "-c", self.folder / "suricata.yaml", "--pcap=idle0", "-l", self.folder]
        if self.seen_in:
            mounts = 'mkdir -p "$2" && mount --bind "$1" "$2" && shift 2 && exec "$@"'
            words = ["unshare", "--mount", "bash", "-c", mounts, "bash", self.rules.parent, self.seen_in, *words]
        self.program = Program(words, self.folder / "out.log")
        return eventually(60, lambda: self.ask("uptime") is not None)

    def ask(self, command):
        """The answer's message; None: there is none."""
        try:
            with socket.socket(socket.AF_UNIX) as control:
                control.settimeout(20)
                control.connect(str(self.socket))
                for message in ({"version": "0.2"}, {"command": command}):
                    control.sendall(json.dumps(message).encode() + b"\n")
                    answer = b""
                    while not answer.endswith(b"\n"):
                        piece = control.recv(65536)
                        if not piece:
                            return None
                        answer += piece
                return json.loads(answer)["message"]
        except (OSError, ValueError):
            return None

    def loaded(self):
        """How many rules it has; None: it doesn't answer."""
        stats = self.ask("ruleset-stats")
        return stats[0]["rules_loaded"] if stats else None

    def end(self):
        if self.program:
            self.program.end(10)


class Load:
    """A run of `center-load` in the background."""

    def __init__(self, build, center, command, *words):
        self.process = subprocess.Popen(
            [str(word) for word in [pathlib.Path(build) / "center-load", command, "--center", center.address,
                                    "--state", center.state, *words]],
            stdout=subprocess.PIPE, text=True)

    @property
    def runs(self):
        return self.process.poll() is None

    def result(self, seconds=900):
        try:
            out, _ = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise SystemExit("center-load did not end")
        if self.process.returncode != 0:
            raise SystemExit(f"center-load failed with status {self.process.returncode}")
        return json.loads(out.splitlines()[-1])


class Watch:
    """How far the analysis is behind, looked at once a second while a load runs."""

    def __init__(self, center):
        self.center, self.worst, self.most, self.stopped = center, 0.0, 0, threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.stopped.wait(1):
            try:
                count, seconds = self.center.waiting()
            except sqlite3.Error:
                continue
            self.most, self.worst = max(self.most, count), max(self.worst, seconds)

    def end(self):
        self.stopped.set()
        self.thread.join()


class Newcomers:
    """While a load runs, a host that has sent nothing before sends one packet, again and again another: how long after its receipt each
    was analysed. Reporters take turns, so what waits of others is not to count."""

    def __init__(self, build, center, run):
        self.build, self.center, self.first_run, self.worst, self.count = build, center, run * 1000, 0.0, 0
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.stopped.wait(1):
            number = self.first_run + self.count
            journal = self.center.folder / f"newcomer-{number}"
            Load(self.build, self.center, "packets", "--count", 1, "--connections", 1, "--hosts", 1, "--prefix", f"newcomer-{number}",
                 "--run", number, "--seconds", 20, "--journal", journal).result()
            acknowledged, ids = time.time(), journal.read_text().split()
            if not ids:
                # Told to wait, or refused: the load's own figures tell of that.
                continue
            done = eventually(60, lambda: self.is_analysed(ids[0]), pause=0.02)
            self.worst = max(self.worst, time.time() - acknowledged if done else 60.0)
            self.count += 1

    def is_analysed(self, report):
        try:
            return bool(self.center.rows("SELECT 1 FROM reports r JOIN analyses a ON a.report_seq = r.seq WHERE r.id = ?", report))
        except sqlite3.Error:
            return False

    def end(self):
        self.stopped.set()
        self.thread.join(120)
