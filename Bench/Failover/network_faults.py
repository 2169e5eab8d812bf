# SPDX-License-Identifier: Apache-2.0

"""Cables that are cut: for good, or for one direction, or between some machines."""
from database_faults import AWAY_S, SOME_S


def primary_cut(site):
    """the primary is cut from all others"""
    site.primary.machine.cut()
    site.hold(AWAY_S)


def primary_unplugged(site):
    """the primary's cable is pulled out, which it sees itself"""
    site.primary.machine.unplug()
    site.hold(AWAY_S)


def primary_deaf(site):
    """a cut in one direction: what the primary sends arrives, and it hears nothing"""
    site.primary.machine.cut(outgoing=False)
    site.hold(AWAY_S)


def primary_mute(site):
    """a cut in the other direction: the primary hears all, and nothing that it sends arrives"""
    site.primary.machine.cut(incoming=False)
    site.hold(AWAY_S)


def primary_cut_from_standbys(site):
    """the primary is cut from the other two machines of the database; the centers still reach it"""
    site.primary.machine.cut(peers=[node.machine for node in site.database.nodes if node is not site.primary])
    site.hold(AWAY_S)


def standby_cut(site):
    """the synchronous standby is cut from all others"""
    site.standby.machine.cut()
    site.hold(SOME_S)


def center_cut(site):
    """the center that holds the work is cut from the database, and from its hosts"""
    site.worker().machine.cut()
    site.hold(AWAY_S)


def center_cut_from_primary(site):
    """the center that holds the work reaches all but the primary"""
    site.worker().machine.cut(peers=[site.primary.machine])
    site.hold(AWAY_S)


ALL = [primary_cut, primary_unplugged, primary_deaf, primary_mute, primary_cut_from_standbys, standby_cut, center_cut,
       center_cut_from_primary]
