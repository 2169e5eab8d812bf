# SPDX-License-Identifier: Apache-2.0

"""Clocks that are wrong."""
import time

from trial import dated


def clock(trial, step, name):
    """The clock steps, stays so for some seconds, and is set right."""
    stamp = trial.folder / "stamp"
    stamp.write_text("+0\n")
    environment = dated(stamp=stamp)
    if not environment:
        return trial.notes.append("(left out: faketime is not installed)")
    center = trial.make_center()
    if not trial.start():
        return
    trial.attack()
    trial.attack()
    packets, rules = len(center.stored_ids()), center.delivered()
    center.end()
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
    trial.check()


def clock_forward(trial):
    """the clock steps 100 days forward, and back after some seconds"""
    clock(trial, "+100d", "ahead")


def clock_back(trial):
    """the clock steps two days back, and is set right after some seconds"""
    clock(trial, "-2d", "behind")


def wrong_at_start(trial, shift, name):
    """The center starts with a clock that is wrong, and is started again with the right one."""
    environment = dated(shift)
    if not environment:
        return trial.notes.append("(left out: faketime is not installed)")
    center = trial.make_center()
    if not trial.start():
        return
    trial.attack()
    packets, rules = len(center.stored_ids()), center.delivered()
    center.end()
    trial.fault()
    if not center.start(seconds=20, before=["env"], env=environment):
        trial.notes.append(f"(it does not start: {trial.said()})")
    time.sleep(8)
    center.program.kill()
    if not trial.start("the center, with the right clock,"):
        return
    if (kept := len(center.stored_ids())) < packets:
        trial.counts["lost"] += packets - kept
        trial.notes.append(f"lost: {packets - kept} of {packets} packets were removed while the clock was {name}")
    if (in_force := center.delivered_in_force()) < rules:
        trial.counts["rules_lost"] += rules - in_force
        trial.notes.append(f"rules_lost: {rules - in_force} of {rules} rules ended while the clock was {name}")
    trial.attack()
    trial.check_rules(20)
    trial.check()


def clock_ahead_at_start(trial):
    """the center starts with a clock that is 80 days ahead, and is started again with the right one"""
    wrong_at_start(trial, "+80d", "ahead")


def clock_behind_at_start(trial):
    """the center starts in 1972, as a machine whose battery is empty, and is started again with the right clock"""
    wrong_at_start(trial, "-20000d", "behind")
