# SPDX-License-Identifier: Apache-2.0

"""The soak of `epitope agent`. Usage: soak.py BUILD_FOLDER [--seconds N] [--keep FOLDER]

Ordinary programs work in turns (Fixtures/Workloads), beside redis under load, while every second one inert stub makes one
call to loopback from unbacked memory: another place, form and call each time, every other time by a way of entering the C
library with a return address of its choice. Every stub must be found, nothing else may be, and the agent's memory must not grow. Run by Bench/Soak/soak in a network namespace of its own; the agent sees every process
of the machine, and what any other does is no reason for an alarm either.
"""
import argparse
import itertools
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time

# What it shares with the benchmark of the host.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "Host"))
import host_cost  # noqa: E402

PLACES = ["heap", "stack", "anonymous", "shared-anonymous", "memory-file", "unlinked-tmpfs", "written-page"]
CALLS = ["exec", "connect", "send", "sendmsg", "sendmmsg", "bind", "listen", "accept", "write", "writev", "sendfile", "splice", "ring"]
FORMS = ["direct", "library"]
# Places and kinds of memory that are easily overlooked, files that the stub writes itself, rings: with one call each.
RARE_PLACES = ["pkey", "segment", "implied", "implied-heap", "device", "late-unlink", "moved", "over-image", "over-vdso", "remapped",
               "never-named", "never-named-private", "shared-writable", "open-file", "raw-file", "unlinked-file", "open-library",
               "unpacked-library"]
RINGS = ["ring-connect", "ring-aside", "ring-later", "ring-setup"]
# Ways of entering the library, of which the kernel program holds something (ReturnCase in Tests/Support/TestSupport): those with a
# return address in unbacked memory, in an image or nowhere, and one behind a go-between. Left out are what the threat model says is
# not seen, what another thread decides, and what a child of the stub does.
WAYS = ["call", "jump", "return", "moved-call", "moved-jump", "moved-return", "heap-jump", "middle", "syscall", "relay",
        "plant-none", "plant-other", "plant-import", "plant-memory", "chain", "middle-planted", "nowhere", "signal", "plant-register",
        "plant-framed", "plant-same"]
WAY_CALLS = ["connect", "sendto", "sendmsg", "write", "execve"]
# The program's first seconds: sites of libraries, first workloads, buffers.
SETTLING = 300
# What the agent may grow by after that, in KiB of resident memory.
FLAT = 8 << 10
# A workload's exit status where what it needs isn't to be had (Fixtures/Workloads/common.sh).
LEFT_OUT = 77


def resident(process):
    for line in pathlib.Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise RuntimeError("the agent has gone")


class Load(threading.Thread):
    """Workloads one after the other until told to end; what failed, and what could not be had, is kept."""

    def __init__(self, scripts, folder):
        super().__init__()
        self.scripts, self.folder, self.ending, self.runs, self.failures, self.left_out = scripts, folder, False, 0, [], {}
        self.environment = os.environ | {"EPITOPE_GO_CACHE": str(folder / "go-cache")}

    def run(self):
        for number in itertools.count():
            script = self.scripts[number % len(self.scripts)]
            if self.ending:
                return
            if script.stem in self.left_out:
                continue
            work = self.folder / f"work-{number}"
            work.mkdir()
            log = self.folder / f"{script.stem}.log"
            with open(log, "wb") as out:
                done = subprocess.run(["nice", "bash", script, work], stdout=out, stderr=subprocess.STDOUT, env=self.environment)
            if done.returncode == LEFT_OUT:
                self.left_out[script.stem] = log.read_text(errors="replace").strip()
            else:
                self.runs += 1
                if done.returncode != 0:
                    self.failures.append(script.stem)
                    shutil.copy(log, self.folder / f"{script.stem}.failed-{number}.log")
            shutil.rmtree(work, ignore_errors=True)


def redis_load(folder, ending):
    server = subprocess.Popen(["redis-server", "--port", "7379", "--save", "", "--dir", folder], stdout=subprocess.DEVNULL)
    try:
        # Before the server listens, redis-benchmark would try for ever.
        while subprocess.run(["redis-cli", "-p", "7379", "ping"], capture_output=True).stdout != b"PONG\n":
            time.sleep(0.1)
        while not ending():
            subprocess.run(["redis-benchmark", "-p", "7379", "-q", "-n", "2000", "-c", "8", "-t", "set,get"],
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(2)
    finally:
        server.terminate()
        server.wait(20)


def stub_cases(build):
    """The stubs' command lines with their names: the two programs take turns."""
    calls = [("call-stub", form, place, call) for form in FORMS for place in PLACES for call in CALLS
             # Told by the page's own state, which an exec ends before the agent can look at it, where the kernel names no page tables.
             if (place, call) != ("written-page", "exec")]
    calls += [("call-stub", form, place, "send") for form in FORMS for place in RARE_PLACES]
    calls += [("call-stub", form, "anonymous", call) for form in FORMS for call in RINGS]
    # A signal's number is no socket.
    ways = [("return-stub", way, call) for way in WAYS for call in WAY_CALLS if (way, call) != ("signal", "write")]
    ways += [("return-stub", way, "execve") for way in ["long-path", "sort"]] + [("return-stub", "image-exit", "connect")]
    random.shuffle(calls)
    random.shuffle(ways)
    turns = [case for pair in zip(itertools.cycle(calls), itertools.islice(itertools.cycle(ways), max(len(calls), len(ways)))) for case in pair]
    return [([(build / program).resolve(), *words, "9"], " ".join(words)) for program, *words in turns]


def names_of(alarms, started):
    """What the alarms say whose processes are none of ours, each once."""
    return sorted({
        (event.get("call", "?"), event["processID"], event.get("executable") or event.get("processName", "?"),
         ",".join(event.get("evidence", []))) for event in alarms if event["processID"] not in started})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--seconds", type=int, default=3600)
    parser.add_argument("--keep", type=pathlib.Path)
    options = parser.parse_args()
    scripts = sorted(path for path in pathlib.Path("Fixtures/Workloads").resolve().glob("*.sh") if path.stem != "common")
    random.seed(4)
    with tempfile.TemporaryDirectory(prefix="epitope-soak-") as scratch:
        folder = options.keep or pathlib.Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        state, log = folder / "state", folder / "agent.log"
        agent = options.build / "epitope-agent"
        words = [agent, "--state", state, "--action", "watch"]
        with host_cost.process(words, lambda: "protecting every process" in log.read_text(errors="replace"), log) as child:
            load = Load(scripts, folder)
            load.start()
            redis = threading.Thread(target=redis_load, args=(folder, lambda: load.ending))
            redis.start()
            started, stubs, memory, begin = {}, 0, [], time.monotonic()
            cases = stub_cases(options.build)
            try:
                for second in range(options.seconds):
                    words, name = cases[second % len(cases)]
                    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                    process.wait(30)
                    stubs += 1
                    started[process.pid] = name
                    memory.append((second, resident(child.pid)))
                    if second % 60 == 59:
                        print(f"{second + 1:5d} s  {stubs} stubs, {load.runs} workloads, {memory[-1][1]} KiB", flush=True)
                    time.sleep(max(0, begin + second + 1 - time.monotonic()))
            finally:
                load.ending = True
                load.join()
                redis.join()
            time.sleep(2)
            counted = json.loads((state / "agent.json").read_text())["counted"]
        events = [json.loads(line) for line in (state / "events.jsonl").read_text().splitlines()]
        alarms = [event for event in events if event["event"] in ("blocked", "watched")]
        found = {event["processID"] for event in alarms}
        # Numbers of processes come round within the hour: those of a number can only be counted together.
        lost = max(0, stubs - len([event for event in alarms if event["processID"] in started]))
        missed = sorted(case for process, case in started.items() if process not in found)
        others = names_of(alarms, started)
        notices = [line for line in log.read_text(errors="replace").splitlines() if "could not be inspected" in line]
        settled = [size for second, size in memory if second >= min(SETTLING, options.seconds // 2)]
        third = max(1, len(settled) // 3)
        early, late = max(settled[:third]), max(settled[-third:])
        if lost:
            print(f"{lost} of {stubs} stubs have no report")
        for case in missed:
            print(f"missed: {case}")
        for call, process, program, evidence in others:
            print(f"alarm for something else: {call} of process {process}, {program}: {evidence}")
        for line in notices[:20]:
            print(line)
        for name, reason in sorted(load.left_out.items()):
            print(f"left out: {name}: {reason}")
        for name in sorted(set(load.failures)):
            print(f"the workload {name} failed {load.failures.count(name)} times")
        print(f"counted by the agent: {counted}")
        failed = bool(missed or lost or others or load.failures or counted["dropped"] or late - early > FLAT)
        print(f"RESULT soak={'failed' if failed else 'ok'} seconds={options.seconds} stubs={stubs} missed={max(lost, len(missed))} "
              f"other_alarms={len(others)} uninspectable={counted['uninspectable']} dropped={counted['dropped']} "
              f"workloads={load.runs} workload_failures={len(load.failures)} left_out={len(load.left_out)} rss_early_kib={early} rss_late_kib={late}")
        sys.exit(1 if failed else 0)


main()
