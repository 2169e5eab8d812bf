# SPDX-License-Identifier: Apache-2.0

"""The global center."""


def global_center_away(trial):
    """the global center is killed; the site goes on; the global center comes back"""
    world = Center(trial.build, trial.folder / "world", kind="global-center", name="world")
    center = trial.make_center(forwardsADay=1000, updatesTo="both")
    if not world.start():
        return trial.note("wedged", "the global center did not start")
    trial.programs.append(world.program)
    center.command("link", "--center", f"https://{world.address}", "--token", world.command("token", "--site", "site").strip())
    if not trial.start():
        return
    trial.attack()
    if not eventually(30, lambda: len(world.stored_ids()) >= 2, pause=0.2):
        trial.note("wedged", f"nothing reached the global center: {trial.said()}")
    before = len(world.stored_ids())
    world.program.kill()
    trial.fault()
    trial.attack(what="an attack without the global center")
    world.start()
    trial.programs.append(world.program)
    if not eventually(60, lambda: len(world.stored_ids()) >= before + 2, pause=0.5):
        trial.note("wedged", f"what waited did not reach the global center in 60 s: {trial.said()}")
    trial.check()
