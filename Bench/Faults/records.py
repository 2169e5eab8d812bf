# SPDX-License-Identifier: Apache-2.0

"""Records."""


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
