# SPDX-License-Identifier: Apache-2.0

"""A center that is killed, and disks that are full or fail."""
import random
import subprocess
import time

from trial import ACKNOWLEDGED_S


def kills(trial):
    """kill -9 at random moments under load"""
    count = trial.options.kills
    moments = random.Random(trial.options.seed)
    center = trial.make_center()
    if not trial.start():
        return
    load = trial.load()
    for _ in range(count):
        # The load goes on through every kill: an idle center has nothing to lose.
        if not trial.is_under_load(load):
            trial.note("wedged", f"no packet was acknowledged in {ACKNOWLEDGED_S} s after a start: {trial.said()}")
            break
        time.sleep(moments.uniform(0.05, 1.5))
        center.program.kill()
        trial.fault()
        if not trial.start("the center, after a kill,"):
            break
    trial.stop.touch()
    load.result()
    trial.attack()
    trial.check_rules(20)
    trial.check()


def full_disk(trial):
    """a full disk, then room again"""
    room = trial.folder / "small"
    trial.mount("-t", "tmpfs", "-o", "size=48m", "tmpfs", at=room)
    center = trial.make_center(room / "center")
    if not trial.start():
        return
    trial.attack()
    load = trial.load(seconds=14)
    time.sleep(3)
    filler = room / "filler"
    trial.fault()
    filler.touch()
    try:
        with open(filler, "wb", buffering=0) as file:
            while file.write(bytes(4096)) == 4096:
                pass
    except OSError:
        pass
    time.sleep(5)
    if not center.program.runs:
        trial.note("wedged", f"the center ended on the full disk: {trial.said()}")
    filler.unlink()
    load.result()
    if not center.program.runs and not trial.start("the center, with room again,"):
        return
    trial.attack()
    trial.check_rules(20)
    trial.check()


def read_only_disk(trial):
    """a file system that turns read-only (ext4's own answer to an error), and is mended"""
    image, at = trial.folder / "image", trial.folder / "disk"
    with open(image, "wb") as file:
        file.truncate(96 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True)
    try:
        trial.mount("-o", "loop", str(image), at=at)
    except subprocess.CalledProcessError:
        trial.notes.append("(left out: this machine has no loop devices)")
        return
    center = trial.make_center(at / "center")
    if not trial.start():
        return
    trial.attack()
    load = trial.load(seconds=8)
    time.sleep(2)
    trial.fault()
    subprocess.run(["mount", "-o", "remount,abort", str(at)], check=False, capture_output=True)
    time.sleep(3)
    center.program.kill()
    # Before the disk is mended a start must end with a word, not hang.
    if center.start(seconds=20) or center.program.runs:
        trial.notes.append("(it starts on the read-only disk)")
    center.program.kill()
    subprocess.run(["umount", str(at)], check=True)
    trial.mounts.remove(at)
    subprocess.run(["e2fsck", "-p", str(image)], check=False, capture_output=True)
    trial.mount("-o", "loop", str(image), at=at)
    if not trial.start("the center, on the mended disk,"):
        return
    load.result()
    trial.attack()
    trial.check_rules(20)
    trial.check()
