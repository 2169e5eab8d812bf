# SPDX-License-Identifier: Apache-2.0

"""Faults of the database's programs and machines. Each breaks something and mends it; what came of it is told by the receipts."""
import os
import signal

# Longer than Patroni takes to replace a primary that isn't heard of (ttl), and for writes to go on.
AWAY_S = 40
# As long as a machine is frozen.
FROZEN_S = 30
# A standby and a full disk: whether writes go on does not depend on how long.
SOME_S = 15


def postgres_killed(site):
    """kill -9 of the primary's PostgreSQL"""
    os.kill(site.primary.postgres(), signal.SIGKILL)
    site.hold(SOME_S)


def patroni_killed(site):
    """kill -9 of the primary's Patroni, and with it by systemd of its PostgreSQL; it is started again in a second"""
    site.primary.patroni.kill()
    site.hold(SOME_S)


def patroni_frozen(site):
    """the primary's Patroni hangs, its PostgreSQL doesn't: another machine takes over, and there are two that take connections"""
    os.kill(site.primary.patroni.pid, signal.SIGSTOP)
    site.hold(AWAY_S)
    os.kill(site.primary.patroni.pid, signal.SIGCONT)


def primary_frozen(site):
    """SIGSTOP of all that runs on the primary's machine, for 30 s"""
    site.primary.machine.freeze()
    site.hold(FROZEN_S)
    site.primary.machine.thaw()


def postgres_frozen(site):
    """SIGSTOP of the primary's PostgreSQL alone, for 30 s"""
    frozen = site.primary.processes_of_postgres()
    site.send(frozen, signal.SIGSTOP)
    site.hold(FROZEN_S)
    site.send(frozen, signal.SIGCONT)


def primary_dies(site):
    """the primary's machine dies; it comes back when another one is the primary, with a history of its own (pg_rewind)"""
    # What is on its disk alone, since no standby hears of it any more, is what a rewind takes back.
    site.primary.machine.cut(incoming=False)
    site.hold(1)
    site.primary.die()
    site.hold(AWAY_S)


def standby_dies(site):
    """the machine of the synchronous standby dies, and comes back"""
    site.standby.die()
    site.hold(SOME_S)


def end_standbys(site):
    """The synchronous standby's machine dies, and a second later the other's PostgreSQL. That machine's etcd is there: two of three."""
    site.standby.die()
    site.hold(1)
    site.other.patroni.kill(comes_back=False)
    site.hold(1)


def both_standbys_die(site):
    """both standbys die: the primary may acknowledge nothing alone, and the centers say that they are not ready"""
    end_standbys(site)
    alone = site.receipts.size
    site.expect_unready("no-synchronous-standby")
    site.expect_no_receipts(alone)


def lone_primary_restarts(site):
    """both standbys die, and the primary's PostgreSQL is killed and starts again: what its disk alone has is acknowledged to nobody"""
    end_standbys(site)
    alone = site.receipts.size
    os.kill(site.primary.postgres(), signal.SIGKILL)
    site.hold(FROZEN_S)
    site.expect_no_receipts(alone)


def disk_full(site):
    """the primary's disk is full, then has room again"""
    site.primary.fill_disk()
    site.hold(SOME_S)


def switched_over(site):
    """a planned change of the primary (patronictl switchover)"""
    site.switch_over()
    site.hold(SOME_S)


def etcd_killed(site):
    """kill -9 of the etcd that leads, which is started again"""
    site.etcd_leader().etcd.kill()
    site.hold(SOME_S)


def etcd_away(site):
    """all three etcd are away for a while: the primary goes on"""
    for node in site.database.nodes:
        node.etcd.kill(comes_back=False)
    site.hold(AWAY_S)


ALL = [postgres_killed, patroni_killed, patroni_frozen, primary_frozen, postgres_frozen, primary_dies, standby_dies, both_standbys_die,
       lone_primary_restarts, disk_full, switched_over, etcd_killed, etcd_away]
