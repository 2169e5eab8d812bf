# SPDX-License-Identifier: Apache-2.0

"""Faults of the centers, which hold nothing that the database doesn't."""
from database_faults import FROZEN_S, SOME_S


def center_killed(site):
    """kill -9 of the center that holds the work, which is started again"""
    site.worker().kill()
    site.hold(SOME_S)


def center_frozen(site):
    """SIGSTOP of the center that holds the work, for 30 s"""
    worker = site.worker()
    worker.machine.freeze()
    site.hold(FROZEN_S)
    worker.machine.thaw()


def center_ended(site):
    """an orderly end of the center that holds the work (SIGTERM), as for an upgrade"""
    site.worker().restart()
    site.hold(SOME_S)


def both_centers_killed(site):
    """kill -9 of both centers, which are started again"""
    for center in site.centers:
        center.kill()
    site.hold(SOME_S)


ALL = [center_killed, center_frozen, center_ended, both_centers_killed]
