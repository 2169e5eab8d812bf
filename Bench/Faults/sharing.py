# SPDX-License-Identifier: Apache-2.0

"""A global center that is away, hangs, withdraws, or is another one; the way to it."""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import threading
import time

from running import Center
from bench_support import eventually
from trial import ENDED_S, LIVE_S, dated

# A withdrawal is out of every IDS within that time: a rule is live within it, too.
WITHDRAWN_S = LIVE_S


def make_world(trial, name="world", **options):
    """A global center that publishes what a trusted site reports."""
    world = Center(trial.build, trial.folder / name, kind="global-center", name=name, settings={"updatesADay": 10000}, **options)
    trial.worlds = [*getattr(trial, "worlds", []), world]
    return world


def copy_state(folder, copy):
    """Copies a state folder, without its pipe and socket."""
    shutil.copytree(folder, copy, ignore=lambda at, names: [name for name in names if not (pathlib.Path(at) / name).is_file()
                                                            and not (pathlib.Path(at) / name).is_dir()])


def start_world(trial, world):
    if not world.start():
        trial.note("wedged", f"the global center did not start: {world.log.read_text(errors='replace').strip().splitlines()[-1:]}")
        return False
    trial.programs.append(world.program)
    return True


def link(site, world):
    """Links a site's center to a global center, which trusts it."""
    token = world.command("token", "--site", site.center.name).strip()
    world.command("trust", "--site", site.center.name)
    return site.center.command("link", "--center", f"https://{world.address}", "--token", token)


def linked(trial, world, name="site", **settings):
    """Whether a site's center is made, linked and started."""
    trial.make_center(name=name, forwardsADay=1000, **settings)
    link(trial, world)
    return trial.start()


def global_center_away(trial):
    """the global center is killed; the site goes on; the global center comes back"""
    world = make_world(trial)
    if not start_world(trial, world) or not linked(trial, world, updatesTo="both"):
        return
    trial.attack()
    trial.expect("something reaches the global center", lambda: len(world.stored_ids()) >= 2, within=30)
    before = len(world.stored_ids())
    world.program.kill()
    trial.fault()
    trial.attack(what="an attack without the global center")
    start_world(trial, world)
    trial.expect("what waited reaches the global center", lambda: len(world.stored_ids()) >= before + 2, within=60)
    trial.check()


def global_center_hangs(trial):
    """the global center hangs (SIGSTOP) while attacks come, and the site's center is to end; then it goes on"""
    world = make_world(trial)
    if not start_world(trial, world) or not linked(trial, world):
        return
    trial.attack()
    trial.expect("something reaches the global center", lambda: len(world.stored_ids()) >= 1, within=30)
    before = len(world.stored_ids())
    world.program.process.send_signal(signal.SIGSTOP)
    trial.fault()
    trial.attack(what="an attack while the global center hangs")
    if not trial.center.end(ENDED_S):
        trial.note("wedged", f"the center did not end in {ENDED_S} s after SIGTERM while the global center hung")
    if not trial.start("the center, beside a global center that hangs,"):
        return
    trial.attack(what="an attack beside a global center that hangs")
    world.program.process.send_signal(signal.SIGCONT)
    trial.expect("what waited reaches the global center", lambda: len(world.stored_ids()) >= before + 2, within=90)
    trial.check()


def published(trial, away):
    """The signature of the one rule that both sites have, each under the number that it has at the other."""
    trial.expect("the other site has the rule, under the same number",
                 lambda: len(trial.rule_numbers()) == 1 and trial.rule_numbers() == away.rule_numbers() and away.suricata.loaded() == 1)
    return next(iter(trial.rule_numbers()), "none")


def withdrawn_everywhere(trial):
    """the global center withdraws a rule: it leaves each site's IDS, also one's that was away; reinstated it is back, with its number"""
    world, away = make_world(trial), trial.beside("away")
    if not start_world(trial, world) or not linked(trial, world, "site") or not linked(away, world, "away"):
        return
    trial.attack()
    signature = published(trial, away)
    numbers = trial.rule_numbers()
    away.center.end()
    trial.fault()
    begun = time.monotonic()
    world.command("withdraw", signature, "--reason", "a false alarm")
    if trial.expect("the rule has left the IDS of the site that is connected", lambda: trial.has_rules(0), within=WITHDRAWN_S):
        trial.notes.append(f"(withdrawn at the site in {time.monotonic() - begun:.1f} s)")
    if away.start("the center that was away"):
        away.expect("the rule has left the IDS of the site that was away", lambda: away.has_rules(0), within=WITHDRAWN_S)
    world.command("reinstate", signature)
    for site in (trial, away):
        site.expect("the rule is back, with its number", lambda: site.rule_numbers() == numbers and site.suricata.loaded() == 1)
    trial.attack(what="a new attack")
    trial.check()
    away.check()


def global_center_restored(trial):
    """the global center is put back from a backup, and gives its last numbers to other updates; no site skips any"""
    world, other = make_world(trial), trial.beside("other")
    if not start_world(trial, world) or not linked(trial, world, "site") or not linked(other, world, "other"):
        return
    trial.attack()
    published(trial, other)
    world.end()
    backup = trial.folder / "backup"
    copy_state(world.state, backup)
    start_world(trial, world)
    trial.attack(what="an attack after the backup")
    other.expect("both rules are at the other site", lambda: other.has_rules(2))
    before = set(other.rule_numbers())
    world.program.kill()
    shutil.rmtree(world.state)
    copy_state(backup, world.state)
    trial.fault()
    start_world(trial, world)
    trial.attack(what="an attack after the restore")
    other.expect("the third rule is at the other site", lambda: len(set(other.rule_numbers()) - before) == 1 and other.has_rules(3))
    if not before <= set(other.rule_numbers()):
        other.note("rules_lost", "a rule of before the restore is gone")
    trial.check()
    other.check()


def linked_elsewhere(trial):
    """a site is linked to another global center while it runs: it takes what that has published, and keeps what it has"""
    world, second = make_world(trial), make_world(trial, "second")
    other = trial.beside("other")
    if not start_world(trial, world) or not start_world(trial, second):
        return
    if not linked(trial, world, "site") or not linked(other, second, "other"):
        return
    trial.attack()
    trial.expect("the site's attack is published", lambda: world.rows("SELECT count(*) FROM feed")[0][0] == 1)
    other.attack(what="an attack at the other site")
    other.expect("the other site's attack is published", lambda: second.rows("SELECT count(*) FROM feed")[0][0] == 1)
    mine, theirs = trial.signatures_in_file(), other.signatures_in_file()
    trial.fault()
    link(trial, second)
    # The question to the first one, which is under way, is answered within a minute.
    trial.expect("the site has the second global center's rule", lambda: theirs <= trial.signatures_in_file() and trial.has_rules(2),
                 within=90)
    if not mine <= trial.signatures_in_file():
        trial.note("rules_lost", "the rule of before is gone")
    trial.attack(what="an attack after the new link")
    other.expect("it reaches the sites of the second global center", lambda: len(other.signatures_in_file()) >= 2)
    trial.check()
    other.check()


def link_certificate_ended(trial):
    """site and global center were off until the certificate of the link had ended; they renew it by themselves"""
    past = dated("-91d")
    if not past:
        return trial.notes.append("(left out: faketime is not installed)")
    world = make_world(trial, environment=past)
    if not start_world(trial, world):
        return
    center = trial.make_center(environment=past, forwardsADay=1000)
    link(trial, world)
    identity = (center.state / "global" / "identity.json").read_text()
    world.end()
    world.environment = center.environment = None
    trial.fault()
    if not start_world(trial, world) or not trial.start():
        return
    trial.attack()
    trial.expect("something reaches the global center", lambda: len(world.stored_ids()) >= 1, within=90)
    if (center.state / "global" / "identity.json").read_text() == identity:
        trial.note("wedged", "the certificate of the link was not renewed")
    trial.check()


def damaged_link(trial):
    """the file with the link's identity is emptied while the center runs, and is damaged at its next start; then the site is linked anew"""
    world = make_world(trial)
    if not start_world(trial, world) or not linked(trial, world):
        return
    identity = trial.center.state / "global" / "identity.json"
    identity.write_text("")
    trial.fault()
    trial.attack(what="an attack beside an empty identity")
    trial.expect("the identity in use serves on", lambda: len(world.stored_ids()) >= 1, within=30)
    before = len(world.stored_ids())
    trial.center.end()
    if not trial.start("the center, with a damaged identity at the global center,"):
        return
    trial.attack(what="an attack beside a damaged identity")
    link(trial, world)
    trial.expect("what waited reaches the global center", lambda: len(world.stored_ids()) >= before + 1, within=90)
    trial.check()


class Proxy:
    """An HTTP proxy that passes connections on (CONNECT)."""

    def __init__(self, port=0):
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port, self.count, self.open = self.listener.getsockname()[1], 0, []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                front, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(front,), daemon=True).start()

    def serve(self, front):
        head = b""
        while b"\r\n\r\n" not in head:
            piece = front.recv(4096)
            if not piece:
                return front.close()
            head += piece
        host, port = head.split()[1].decode().rsplit(":", 1)
        try:
            back = socket.create_connection((host, int(port)), timeout=5)
        except OSError:
            return front.close()
        back.settimeout(None)
        self.count += 1
        self.open += [front, back]
        front.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        for one, other in ((front, back), (back, front)):
            threading.Thread(target=self.pass_on, args=(one, other), daemon=True).start()

    @staticmethod
    def pass_on(one, other):
        try:
            while piece := one.recv(65536):
                other.sendall(piece)
        except OSError:
            pass
        for end in (one, other):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def end(self):
        # `close` alone leaves a thread in `accept`.
        for end in (self.listener, *self.open):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()


def proxy_away(trial):
    """the global center is reached by a proxy, which goes away and comes back"""
    # Loopback is never reached by a proxy.
    subprocess.run(["ip", "address", "add", "192.0.2.1/32", "dev", "lo"], check=False, capture_output=True)
    world, proxy = make_world(trial, host="192.0.2.1"), Proxy()
    if not start_world(trial, world):
        return
    environment = dict(os.environ, https_proxy=f"http://127.0.0.1:{proxy.port}", no_proxy="")
    trial.make_center(environment=environment, forwardsADay=1000)
    link(trial, world)
    if not trial.start():
        return
    trial.attack()
    trial.expect("something reaches the global center", lambda: len(world.stored_ids()) >= 1, within=30)
    if not proxy.count:
        trial.note("wedged", "the proxy was not asked")
    before = len(world.stored_ids())
    proxy.end()
    trial.fault()
    trial.attack(what="an attack without the proxy")
    if not eventually(20, lambda: f"by the proxy at 127.0.0.1:{proxy.port}" in trial.center.log.read_text()):
        trial.note("wedged", f"that the proxy is away is not told: {trial.said()}")
    again = Proxy(proxy.port)
    trial.expect("what waited reaches the global center", lambda: len(world.stored_ids()) >= before + 1, within=90)
    again.end()
    trial.check()
