# SPDX-License-Identifier: Apache-2.0

"""A center's folder and certificate, and the captures that it proves with."""
import pathlib
import signal
import struct
import subprocess
import time

from bench_support import eventually
from processes import Program, descendants, signal_all
from trial import ENDED_S, dated


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
    past = dated("-91d")
    if not past:
        return trial.notes.append("(left out: faketime is not installed)")
    trial.make_center(environment=past)
    trial.center.environment = None
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


def ends_during_proof(trial):
    """the center is to end while a proof reads a capture for a minute; then the capture is gone"""
    capture = trial.folder / "long.pcap"
    # A SYN to another port in each of ten million frames.
    frame = bytes.fromhex("020000000002020000000001080045000028000040004006000001010101020202020400" "005000000000000000005002200000000000")
    record = struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame
    with open(capture, "wb") as file:
        file.write(bytes.fromhex("d4c3b2a1020004000000000000000000") + struct.pack("<II", 65535, 1))
        for _ in range(100):
            file.write(record * 100_000)
    center = trial.make_center(captures=[str(capture)])
    if not trial.start():
        return
    trial.attack(is_live=False)
    time.sleep(3)
    trial.fault()
    begun = time.monotonic()
    if not center.end(ENDED_S):
        trial.note("wedged", f"the center did not end in {ENDED_S} s after SIGTERM while a proof was made")
    trial.notes.append(f"(it ended in {time.monotonic() - begun:.1f} s)")
    capture.unlink()
    center.set(updatesADay=10000)
    if not trial.start():
        return
    trial.expect("the rule is live", lambda: center.delivered() == 1)
    trial.check()


def enrols(trial, name, seconds):
    """Whether a host can enrol; what it was told instead, and after how long."""
    token = trial.center.command("token", "--host", name)
    begun = time.monotonic()
    words = [trial.center.build / "epitope", "enroll", "--state", trial.folder / name, "--center", f"https://{trial.center.address}",
             "--token-file", "-"]
    try:
        done = subprocess.run([str(word) for word in words], input=token, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return False, "nothing", seconds
    return done.returncode == 0, done.stderr.strip(), time.monotonic() - begun


def key_process_hangs(trial):
    """the process with the authority's key hangs, and is killed; attacks go live, who enrols is told, and can again by itself"""
    center = trial.make_center()
    if not trial.start():
        return
    key = descendants(center.program.pid)
    if not key:
        return trial.notes.append("(left out: the center has no such process)")
    if not enrols(trial, "first", 60)[0]:
        return trial.note("wedged", "a host can't enrol beforehand")
    signal_all(key, signal.SIGSTOP)
    trial.fault()
    trial.attack(what="an attack while the key process hangs")
    can, told, seconds = enrols(trial, "second", 90)
    if can or "[" not in told:
        trial.note("wedged", f"a host that enrols while the key process hangs is told {told!r} after {seconds:.0f} s")
    trial.notes.append(f"(who enrols meanwhile is told so in {seconds:.1f} s)")
    signal_all(key, signal.SIGKILL)
    trial.expect("a host can enrol again", lambda: enrols(trial, f"third-{time.monotonic_ns()}", 30)[0])
    key = descendants(center.program.pid)
    center.program.kill()
    trial.expect("nothing is left of a center that was killed", lambda: not any(pathlib.Path(f"/proc/{one}").exists() for one in key),
                 within=10)
    if trial.start("the center, after a kill,"):
        trial.attack()
        signal_all(descendants(center.program.pid), signal.SIGSTOP)
        if not center.end(ENDED_S):
            trial.note("wedged", f"the center did not end in {ENDED_S} s after SIGTERM while the key process hung")
    trial.check()
