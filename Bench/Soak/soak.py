# SPDX-License-Identifier: Apache-2.0

"""The soak of `epitope agent`. Usage: soak.py BUILD_FOLDER [--seconds N] [--keep FOLDER]

Ordinary programs work in turns (Fixtures/Workloads), beside redis under load, while every second one inert stub makes one
call to loopback from unbacked memory: another place, form and call each time, every other time by a way of entering the C
library with a return address of its choice. Every stub must be found, nothing else may be but what is known (KNOWN), and the
agent's memory must not grow. Run by Bench/Soak/soak in a network namespace of its own; the agent sees every process of the
machine, and what any other does is no reason for an alarm either.
"""
import argparse
import collections
import datetime
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
# The evidence that a workload's own programs give by tracepoints, and that is stated.
KNOWN = {
    ("upx", "packed-program"): "it unpacks itself; no signature is made of it (Fixtures/Workloads/EXCLUSIONS.md)",
    ("gdb", "unchecked-return-address"): "a breakpoint on the very call, by tracepoints (Documentation/ThreatModel.md, False alarms)",
    ("textrel", "call-from-written-image-page"): "linked in the same clock tick as its call, and ended before the agent looked "
    "(Documentation/ThreatModel.md, False alarms)",
    ("gdb", "call-from-written-image-page"): "gdb's copy of an instruction, at the program's entry (Documentation/ThreatModel.md, False alarms)",
}
# How far the time of a call may lie outside of its process's life, by two clocks of which one may be set meanwhile.
CLOCKS = datetime.timedelta(seconds=2)


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
        # What a workload leaves goes after the next one: the agent compares the code of programs that ended with their files.
        last = None
        for number in itertools.count():
            script = self.scripts[number % len(self.scripts)]
            if self.ending:
                return
            if script.stem in self.left_out:
                continue
            work = self.folder / f"{script.stem}-{number}"
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
            if last:
                shutil.rmtree(last, ignore_errors=True)
            last = work


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


Stub = collections.namedtuple("Stub", "name begin end")


def events_of(state):
    """The lines of the agent's log: it is moved aside once while it is written to, when it has become long."""
    paths = [path for path in (state / "events.jsonl.1", state / "events.jsonl") if path.exists()]
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


def stub_of(event, started):
    """The stub that an alarm is of; None: it is of something else. Numbers of processes come round within the hour: the time of the call
    tells whose it was."""
    time = datetime.datetime.fromisoformat(event["stalledTime"].replace("Z", "+00:00"))
    for stub in started.get(event["processID"], []):
        if stub.begin - CLOCKS <= time <= stub.end + CLOCKS:
            return stub
    return None


def reason_of(event, folder):
    """Which workload's an alarm is, and why it is known; None: it isn't."""
    path = pathlib.Path((event.get("executable") or "").removesuffix(" (deleted)"))
    if folder.resolve() not in path.parents:
        return None
    workload = path.relative_to(folder.resolve()).parts[0].rpartition("-")[0]
    reasons = {KNOWN.get((workload, evidence)) for evidence in event["evidence"]}
    return None if None in reasons else f"{workload}, {path.name}: {','.join(event['evidence'])}: {'; '.join(sorted(reasons))}"


def described(event):
    return f"{event.get('call', '?')} of process {event['processID']}, {event.get('executable') or event.get('processName', '?')}: {','.join(event['evidence'])}"


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
        if state.exists():
            sys.exit(f"soak: {state} is of an earlier run: remove {folder}, or name another folder")
        agent = options.build / "epitope-agent"
        words = [agent, "--state", state, "--action", "watch"]
        with host_cost.process(words, lambda: "protecting every process" in log.read_text(errors="replace"), log) as child:
            load = Load(scripts, folder)
            load.start()
            redis = threading.Thread(target=redis_load, args=(folder, lambda: load.ending))
            redis.start()
            started, stubs, memory, begin = collections.defaultdict(list), 0, [], time.monotonic()
            cases = stub_cases(options.build)
            try:
                for second in range(options.seconds):
                    words, name = cases[second % len(cases)]
                    start = datetime.datetime.now(datetime.timezone.utc)
                    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                    process.wait(30)
                    stubs += 1
                    started[process.pid].append(Stub(name, start, datetime.datetime.now(datetime.timezone.utc)))
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
        alarms = [event for event in events_of(state) if event["event"] in ("blocked", "watched")]
        found = [stub_of(event, started) for event in alarms]
        missed = sorted(stub.name for each in started.values() for stub in set(each).difference(found))
        known, others = collections.Counter(), set()
        for event, stub in zip(alarms, found):
            reason = None if stub else reason_of(event, folder)
            if reason:
                known[reason] += 1
            elif not stub:
                others.add(described(event))
        notices = [line for line in log.read_text(errors="replace").splitlines() if "could not be inspected" in line]
        settled = [size for second, size in memory if second >= min(SETTLING, options.seconds // 2)]
        third = max(1, len(settled) // 3)
        early, late = max(settled[:third]), max(settled[-third:])
        for case in missed:
            print(f"missed: {case}")
        for alarm in sorted(others):
            print(f"alarm for something else: {alarm}")
        for alarm, count in sorted(known.items()):
            print(f"known alarm, {count} times: {alarm}")
        for line in notices[:20]:
            print(line)
        for name, reason in sorted(load.left_out.items()):
            print(f"left out: {name}: {reason}")
        for name in sorted(set(load.failures)):
            print(f"the workload {name} failed {load.failures.count(name)} times")
        print(f"counted by the agent: {counted}")
        failed = bool(missed or others or load.failures or counted["dropped"] or late - early > FLAT)
        print(f"RESULT soak={'failed' if failed else 'ok'} seconds={options.seconds} stubs={stubs} missed={len(missed)} "
              f"other_alarms={len(others)} known_alarms={known.total()} uninspectable={counted['uninspectable']} dropped={counted['dropped']} "
              f"workloads={load.runs} workload_failures={len(load.failures)} left_out={len(load.left_out)} rss_early_kib={early} rss_late_kib={late}")
        sys.exit(1 if failed else 0)


main()
