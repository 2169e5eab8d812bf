# SPDX-License-Identifier: Apache-2.0

"""Records that can't be read, or that nobody wrote."""
import os
import shutil
import sqlite3
import time

from bench_support import say
import sharing


def damaged(trial, table, column, value, what):
    center = trial.make_center()
    if not trial.start():
        return
    trial.attack()
    trial.attack()
    center.end()
    with sqlite3.connect(center.state / "center.sqlite") as store:
        first = store.execute(f"SELECT min(rowid) FROM {table}").fetchone()[0]
        delivered = trial.signatures_in_file()
        store.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (value, first))
    trial.fault()
    if not trial.start(f"the center, with {what},"):
        return
    trial.attack(what=f"a new attack beside {what}")
    trial.check_rules_of(delivered)
    trial.check()


def damaged_packet(trial):
    """a stored packet that can't be decoded, before its analysis"""
    center = trial.make_center()
    if not trial.start():
        return
    trial.attack()
    center.end()
    with sqlite3.connect(center.state / "center.sqlite") as store:
        store.execute(
            "INSERT INTO reports (id, kind, role, name, received_ms, packet) VALUES ('x', 'packet', 'host', 'h', ?, ?)",
            (int(time.time() * 1000), os.urandom(200)))
        store.execute("INSERT INTO waiting_reports (report_seq) SELECT seq FROM reports WHERE id = 'x'")
    trial.fault()
    if trial.start():
        trial.attack(what="a new attack behind a packet that can't be decoded")
    trial.check()


def damaged_cluster(trial):
    """a cluster whose signature can't be read"""
    damaged(trial, "clusters", "signature", "{", "a damaged cluster")


def damaged_update(trial):
    """an update whose body can't be read"""
    damaged(trial, "updates", "body", "{", "a damaged update")


def damaged_feed(trial):
    """at the global center an update, an entry of the feed, and both of a third can't be read; a new site gets all of them"""
    world, late = sharing.make_world(trial), trial.beside("late")
    if not sharing.start_world(trial, world) or not sharing.linked(trial, world, "site"):
        return
    for _ in range(3):
        trial.attack()
    trial.expect("all are published", lambda: world.rows("SELECT count(*) FROM feed")[0][0] >= 3)
    signatures = trial.signatures_in_file()
    world.end()
    with sqlite3.connect(world.state / "center.sqlite") as store:
        store.execute("UPDATE updates SET body = '{' WHERE sequence IN (1, 3)")
        store.execute("UPDATE feed SET body = '{' WHERE sequence IN (2, 3)")
    trial.fault()
    if not sharing.start_world(trial, world) or not sharing.linked(late, world, "late"):
        return
    late.expect("a new site has all rules", lambda: signatures <= late.signatures_in_file() and late.has_rules(3))
    trial.attack(what="a new attack beside the damaged records")
    late.expect("the new attack's rule is at the new site", lambda: late.has_rules(4))
    trial.check()
    late.check()


# Of each type some that no column means.
NONSENSE = {"INTEGER": (-1, 2**63 - 1), "TEXT": ("{", ""), "BLOB": (b"\xff" * 9, b""), "REAL": (-1.0, 1e300)}


def damaged_columns(trial):
    """in one row of each table one column after the other has a value that nobody wrote; a new attack's rule is live all the same"""
    world = sharing.make_world(trial)
    if not sharing.start_world(trial, world) or not sharing.linked(trial, world, updatesTo="both"):
        return
    trial.attack()
    trial.attack()
    center = trial.center
    trial.expect("something reaches the global center", lambda: len(world.stored_ids()) >= 2, within=30)
    center.command("token", "--host", "unused")
    center.command("token", "--host", "revoked")
    center.command("revoke", "--host", "revoked")
    world.program.kill()
    trial.attack(what="an attack that waits for the global center")
    center.command("withdraw", sorted(trial.signatures_in_file())[0], "--reason", "a test")
    center.end()
    whole = trial.folder / "whole"
    sharing.copy_state(center.state, whole)
    with sqlite3.connect(whole / "center.sqlite") as store:
        tables = [row[0] for row in store.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '%\\_%migrations'"
                                                  " ESCAPE '\\' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'")]
        # Not keys: with another key it is another row.
        columns = {table: [row[1:3] for row in store.execute(f"PRAGMA table_info({table})") if not row[5]] for table in tables}

    def damage(number, which, order, only=None):
        """Damages the column of that number in each table's first or last row; the columns in which that could be done."""
        shutil.rmtree(center.state)
        shutil.copytree(whole, center.state)
        done = []
        with sqlite3.connect(center.state / "center.sqlite") as store:
            for table in [only] if only else tables:
                if number >= len(columns[table]):
                    continue
                name, kind = columns[table][number]
                keys = [row[1] for row in store.execute(f"PRAGMA table_info({table})") if row[5]] or ["rowid"]
                key, by = ", ".join(keys), ", ".join(f"{key} {order}" for key in keys)
                first = f"({key}) = (SELECT {key} FROM {table} ORDER BY {by} LIMIT 1)"
                try:
                    if store.execute(f"UPDATE {table} SET {name} = ? WHERE {first}", (NONSENSE[kind][which],)).rowcount:
                        done.append(f"{table}.{name}")
                except sqlite3.IntegrityError:
                    pass
        return done

    def works(what):
        """Whether a center with such a store has a new attack's rule live; nothing is counted."""
        counts, notes = dict(trial.counts), list(trial.notes)
        if trial.start(f"the center, with {what} damaged,"):
            trial.attack(what=f"a new attack beside damage in {what}")
        if center.program:
            center.program.kill()
        found = trial.notes[len(notes):]
        trial.counts.update(counts)
        trial.notes[:] = notes
        return [note for note in found if not note.startswith("(")]

    for number in range(max(map(len, columns.values()))):
        for which, order in ((0, "ASC"), (1, "ASC"), (0, "DESC"), (1, "DESC")):
            done = damage(number, which, order)
            trial.fault(len(done))
            if not done or not works(", ".join(done)):
                continue
            # Which of them was it?
            for place in done:
                table = place.split(".")[0]
                if damage(number, which, order, only=table) and (found := works(place)):
                    value = NONSENSE[columns[table][number][1]][which]
                    trial.note("wedged", f"{place} = {value!r} in the {'first' if order == 'ASC' else 'last'} row: {found[0]}")
                    say(trial.notes[-1])
