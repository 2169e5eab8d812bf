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
import shutil
import tempfile
import time

# First: it says where the modules of other benchmarks are.
from trial import Trial
from running import Suricata
from bench_support import named, say
from centers import capture_just_begun, certificate_expired, ends_during_proof, key_process_hangs, two_processes
from clocks import clock_ahead_at_start, clock_back, clock_behind_at_start, clock_forward
from connections import few_descriptors, half_open, slow_request
from disks import full_disk, kills, read_only_disk
from records import damaged_cluster, damaged_columns, damaged_feed, damaged_packet, damaged_update
from sharing import (damaged_link, global_center_away, global_center_hangs, global_center_restored, link_certificate_ended,
                     linked_elsewhere, proxy_away, withdrawn_everywhere)
from suricatas import (rules_emptied, rules_emptied_while_away, rules_file_of_another, rules_file_replaced, rules_folder_late,
                       stuck_reload, suricata_in_container, suricata_killed, suricata_stopped, suricata_without_file)

SHORT = [kills, two_processes, damaged_packet, damaged_update, rules_emptied_while_away, certificate_expired]
ALL = [kills, full_disk, read_only_disk, clock_forward, clock_back, clock_ahead_at_start, clock_behind_at_start,
       suricata_killed, suricata_stopped, stuck_reload, suricata_in_container, suricata_without_file,
       rules_emptied, rules_emptied_while_away, rules_file_replaced, rules_folder_late, rules_file_of_another,
       global_center_away, global_center_hangs, global_center_restored, linked_elsewhere, withdrawn_everywhere, link_certificate_ended,
       damaged_link, proxy_away, half_open, few_descriptors, slow_request,
       damaged_packet, damaged_cluster, damaged_update, damaged_feed, damaged_columns,
       two_processes, certificate_expired, key_process_hangs, capture_just_begun, ends_during_proof]


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
        chosen = named(ALL, options.only)
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
            except (Exception, SystemExit) as error:  # pylint: disable=broad-except
                trial.note("wedged", f"the trial could not be made to its end: {error!r}")
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
