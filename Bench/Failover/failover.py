# SPDX-License-Identifier: Apache-2.0

"""Two centers over a database of three machines, tried by faults. Usage: failover.py BUILD_FOLDER [options], see Bench/Failover/failover.

Load goes on through all faults: packets that are sent again, with their ids, at either center, until one acknowledges them, as a
host's spool does. Beside the site's local centers two global ones publish updates, which the site subscribes to. In the end:

  lost            acknowledged packets that are not in the database of each of the three machines
  doubled         packets stored, or signatures in force or published, twice
  gaps            updates of the feed that the subscriber passed over
  wedged          what did not go on within its time: the database is not whole again, a center does not answer or analyse
  writes_stopped  for how many seconds at a time nothing was acknowledged, by a fault
"""
import argparse
import pathlib
import random
import shutil
import statistics
import sys
import tempfile
import time

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(FOLDER.parent / "Support"), str(FOLDER.parent / "Center")]
import center_faults  # noqa: E402
import database_faults  # noqa: E402
import network_faults  # noqa: E402
from bench_support import named, say  # noqa: E402
from deployment import Deployment  # noqa: E402
from judge import judge  # noqa: E402

ALL = database_faults.ALL + network_faults.ALL + center_faults.ALL
SHORT = [database_faults.postgres_killed, center_faults.center_killed, database_faults.standby_dies, database_faults.primary_dies]


def chosen(options):
    """The faults, in the order in which they are tried: each in turn, the turns in an order by the seed."""
    if options.only:
        kinds = named(ALL, options.only)
        return kinds * -(-(options.faults or len(kinds)) // len(kinds))
    if options.short:
        return SHORT
    order, count, found = random.Random(options.seed), options.faults or len(ALL), []
    while len(found) < count:
        found += order.sample(ALL, len(ALL))
    return found[:count]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--debug", action="store_true")
    parser.add_argument("--faults", type=int)
    parser.add_argument("--only")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep")
    options = parser.parse_args()
    if options.only == "list":
        print("\n".join(f"{fault.__name__:26} {fault.__doc__}" for fault in ALL))
        return
    faults = chosen(options)
    options.folder = options.keep or tempfile.mkdtemp(prefix="epitope-failover.", dir="/var/tmp")
    # The database's user comes through here.
    pathlib.Path(options.folder).mkdir(parents=True, exist_ok=True)
    pathlib.Path(options.folder).chmod(0o711)
    say(f"{len(faults)} faults at random moments from seed {options.seed}")
    deployment, rows = Deployment(options), []
    try:
        begun = time.monotonic()
        deployment.start()
        say(f"three databases and two centers are there, and packets are acknowledged, after {time.monotonic() - begun:.0f} s")
        for number, fault in enumerate(faults, 1):
            say(f"{number:3}/{len(faults)} {fault.__name__}: {fault.__doc__}")
            rows.append(deployment.attempt(fault))
            say("        no receipt for {stopped:.1f} s; primary {primary}; whole {whole:.0f} s after".format(**rows[-1]))
        load = deployment.end_load()
        counts, notes = judge(deployment.database, deployment.receipts.ids(), deployment.world_ids())
    finally:
        deployment.end()
        if not options.keep:
            shutil.rmtree(options.folder, ignore_errors=True)
    print_table(rows)
    for note in [*deployment.notes, *notes]:
        print(note)
    print(f"(the longest that one packet waited for its receipt: {load['longest_wait_s']:.1f} s; told to wait: {load['told_to_wait']})")
    stopped = [row["stopped"] for row in rows]
    counts = {"faults": len(rows), **counts, "wedged": deployment.wedged}
    print("\nRESULT " + " ".join(f"{name}={count}" for name, count in counts.items())
          + f" writes_stopped_s_median={statistics.median(stopped):.1f} writes_stopped_s_worst={max(stopped):.1f}")
    raise SystemExit(any(counts[name] for name in ("lost", "doubled", "gaps", "wedged")))


def print_table(rows):
    print(f"\n{'fault':26} {'writes stopped, s':>18} {'whole after, s':>15} {'primary':>11} {'rewinds':>8}")
    for row in rows:
        print(f"{row['name']:26} {row['stopped']:18.1f} {row['whole']:15.0f} {row['primary']:>11} {row['rewinds']:8}")


if __name__ == "__main__":
    main()
