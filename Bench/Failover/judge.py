# SPDX-License-Identifier: Apache-2.0

"""What is in the database in the end, compared with the load's receipts."""
from bench_support import eventually
from center_pair import DATABASES

# Until standbys have all that the primary has, and a subscriber all that was published.
CAUGHT_UP_S, SUBSCRIBED_S = 30, 90
SITE, WORLD = DATABASES["local-center"], DATABASES["global-center"]
DOUBLED = {
    "packets": "SELECT count(*) - count(DISTINCT id) FROM epitope.reports",
    "packets told as stored": "SELECT count(*) - count(DISTINCT subject) FROM epitope.events WHERE step = 'stored'",
    "signatures in force": "SELECT count(*) - count(DISTINCT signature_id) FROM epitope.updates WHERE state = 'proven'",
}
PUBLISHED_TWICE = ("SELECT count(*) - count(DISTINCT u.signature_id) FROM epitope.feed f JOIN epitope.updates u ON u.sequence = f.sequence"
                   " WHERE f.revises = ''")


def column(node, sql, database):
    return [row[0] for row in node.sql(sql, database=database, seconds=60) or []]


def missing(database, receipts, name):
    """The acknowledged packets of a database that are not on all three machines, and notes."""
    acknowledged, notes, lost = set(receipts), [], set()
    primary = database.primary()
    end = column(primary, "SELECT pg_current_wal_lsn()", "postgres")[0]
    caught_up = f"SELECT pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '{end}') >= 0"
    for node in database.nodes:
        if node is not primary and not eventually(CAUGHT_UP_S, lambda node=node: column(node, caught_up, "postgres") == ["t"], pause=0.2):
            notes.append(f"({node.name} has not caught up in {CAUGHT_UP_S} s)")
        if absent := acknowledged - set(column(node, "SELECT id FROM epitope.reports", name)):
            lost |= absent
            notes.append(f"lost: {len(absent)} acknowledged packets are not in {name} on {node.name}: {', '.join(sorted(absent)[:3])}")
    return lost, notes


def doubled(primary):
    """How much is there twice, and notes."""
    counts = {f"{what} in {name}": column(primary, sql, name) for name in (SITE, WORLD) for what, sql in DOUBLED.items()}
    counts["signatures published"] = column(primary, PUBLISHED_TWICE, WORLD)
    found = {what: int(count[0]) for what, count in counts.items() if count != ["0"]}
    return sum(found.values()), [f"doubled: {count} {what}" for what, count in found.items()]


def gaps(primary):
    """How many entries of the feed the subscriber passed over, which reads on after the last that it got; and notes."""
    published = set(column(primary, "SELECT sequence FROM epitope.feed", WORLD))

    def unread():
        return published - set(column(primary, "SELECT sequence FROM epitope.updates WHERE sequence IS NOT NULL", SITE))

    if eventually(SUBSCRIBED_S, lambda: not unread(), pause=1):
        return 0, [f"(the site has all {len(published)} updates that were published)"]
    left = sorted(map(int, unread()))
    return len(left), [f"gaps: {len(left)} of {len(published)} updates that were published are not at the site: {left[:5]}"]


def judge(database, site, world):
    """The counts of the whole, and notes.

    - `site`, `world`: the ids of the packets that each was seen to acknowledge.
    """
    counts, notes = {"acknowledged": len(set(site)) + len(set(world)), "lost": 0}, []
    for name, receipts in ((SITE, site), (WORLD, world)):
        lost, told = missing(database, receipts, name)
        counts["lost"] += len(lost)
        notes += told
    for kind, (count, told) in (("doubled", doubled(database.primary())), ("gaps", gaps(database.primary()))):
        counts[kind] = count
        notes += told
    return counts, notes
