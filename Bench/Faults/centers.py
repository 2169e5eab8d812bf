# SPDX-License-Identifier: Apache-2.0

"""Folders."""


def two_processes(trial):
    """a second center process on the same state folder"""
    center = trial.make_center()
    if not trial.start():
        return
    trial.attack()
    second = Program(center.words("serve", "--listen", "127.0.0.1:0", "--config", center.config), trial.folder / "second.log")
    trial.programs.append(second)
    trial.fault()
    if not eventually(10, lambda: not second.runs):
        trial.note("wedged", "a second process serves the same state folder; each has clusters in memory of its own")
    second.kill()
    trial.attack()
    trial.check()


def certificate_expired(trial):
    """a center that was off until its own certificate had expired"""
    if not pathlib.Path(FAKETIME).exists():
        trial.notes.append("(left out: faketime is not installed)")
        return
    folder = trial.folder / "center"
    trial.make_center()
    shutil.rmtree(folder / "state")
    environment = dict(os.environ, LD_PRELOAD=FAKETIME, FAKETIME="-91d", FAKETIME_DONT_FAKE_MONOTONIC="1")
    subprocess.run(["env", *map(str, trial.center.words("init", "--name", "site", "--address", "127.0.0.1"))], env=environment, check=True,
                   capture_output=True)
    trial.fault()
    if trial.start("the center, whose certificate has expired,"):
        trial.attack()
        trial.check()


def capture_just_begun(trial):
    """the newest file of the benign captures is empty when the attack comes, and has its packets later"""
    ring = trial.folder / "ring"
    ring.mkdir()
    header = bytes.fromhex("d4c3b2a1020004000000000000000000000004000100000001")[:24]
    (ring / "1.pcap").write_bytes(header)
    (ring / "2.pcap").write_bytes(b"")
    trial.make_center(benignCaptures=[str(ring)])
    if not trial.start():
        return
    trial.fault()
    trial.attack(is_live=False)
    time.sleep(2)
    (ring / "2.pcap").write_bytes(header)
    if not eventually(60, lambda: trial.center.delivered() > 0, pause=0.5):
        trial.note("wedged", f"the attack's rule was never live, a minute after the capture was whole: {trial.said()}")
    trial.check()
