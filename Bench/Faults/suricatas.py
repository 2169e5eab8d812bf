# SPDX-License-Identifier: Apache-2.0

"""A Suricata that is away, hangs, or loses its rules."""
import signal
import time

from running import Center, Load
from bench_support import eventually
from trial import ENDED_S, LIVE_S, RESTORED_S


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


FOREIGN = 'alert icmp any any -> any any (msg:"of somebody else"; itype:200; sid:1; rev:1;)\n'


def rules_file_replaced(trial):
    """another program puts rules of its own in the place of ours; they stay, and ours are back once somebody moves them away"""
    trial.make_center()
    if not trial.start():
        return
    trial.attack()
    rules = trial.suricata.rules
    rules.write_text(FOREIGN)
    trial.suricata.ask("ruleset-reload-rules")
    trial.fault()
    trial.expect("that the rules are not ours is told", lambda: trial.problems().get("ids") == "rules-file-foreign", within=RESTORED_S)
    trial.attack(is_live=False, what="an attack while the rules file is another's")
    if rules.read_text() != FOREIGN:
        trial.note("wedged", "the rules of another program were overwritten")
    rules.rename(rules.with_suffix(".of-others"))
    trial.expect("the rules are back", lambda: trial.has_rules(2), within=RESTORED_S, kind="rules_lost")
    trial.check()


def rules_folder_late(trial):
    """the folder of the rules file is there only some time after the center and Suricata have started"""
    rules = trial.folder / "volume" / "epitope.rules"
    trial.start_suricata(rules=rules)
    trial.make_center()
    if not trial.start():
        return
    trial.fault()
    trial.expect("that the folder is missing is told", lambda: "rules-folder-unwritable" in trial.center.log.read_text(), within=20)
    trial.attack(is_live=False, what="an attack before the folder is there")
    rules.parent.mkdir()
    trial.expect("the rule is live", lambda: trial.has_rules(1))
    trial.check()


def suricata_in_container(trial):
    """Suricata sees the rules file by another path, as in a container: rules come and go, and nothing reloads for ever"""
    (trial.folder / "of-host").mkdir()
    trial.start_suricata(rules=trial.folder / "of-host" / "epitope.rules", seen_in=trial.folder / "in-container")
    center = trial.make_center()
    if not trial.start():
        return
    trial.fault()
    trial.attack()
    signature = next(iter(trial.signatures_in_file()), "none")
    # The last rule leaves a file that nothing else shows to be read.
    center.command("withdraw", signature, "--reason", "a test")
    trial.expect("the last rule has left Suricata", lambda: trial.has_rules(0))
    trial.expect("the center knows", lambda: center.rows("SELECT count(*) FROM deliveries WHERE state = 'leaving'")[0][0] == 0)
    center.command("reinstate", signature)
    trial.expect("the rule is back", lambda: trial.has_rules(1))
    trial.attack()
    time.sleep(2)
    reloaded = trial.suricata.ask("ruleset-reload-time")
    time.sleep(20)
    if trial.suricata.ask("ruleset-reload-time") != reloaded:
        trial.note("wedged", "Suricata is made to reload its rules again and again")
    trial.check()


def suricata_without_file(trial):
    """Suricata does not list the rules file until somebody adds it and has the rules reloaded"""
    (trial.folder / "of-host").mkdir()
    trial.start_suricata(rules=trial.folder / "of-host" / "epitope.rules")
    settings = trial.suricata.folder / "suricata.yaml"
    listed = settings.read_text()
    settings.write_text(listed.replace(str(trial.suricata.rules), str(trial.folder / "nothing.rules")))
    trial.suricata.end()
    trial.suricata.start()
    trial.make_center()
    if not trial.start():
        return
    trial.fault()
    trial.attack(is_live=False, what="an attack while the file is not listed")
    trial.expect("the reason is told", lambda: "suricata-rules-file-not-loaded" in trial.center.log.read_text())
    time.sleep(5)
    reloaded = trial.suricata.ask("ruleset-reload-time")
    time.sleep(35)
    if trial.suricata.ask("ruleset-reload-time") != reloaded:
        trial.note("wedged", "Suricata is made to reload its rules again and again")
    settings.write_text(listed)
    trial.suricata.ask("ruleset-reload-rules")
    trial.expect("the rule is live", lambda: trial.has_rules(1))
    trial.check()
