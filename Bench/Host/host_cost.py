# SPDX-License-Identifier: Apache-2.0

"""What protection costs: benign critical calls and real loads, unprotected, under `epitope agent`, under `epitope run`, and
beside auditd with rules for the same calls; and with a program that does nothing at the entry of every system call, which is
what the agent's tracepoint costs by its nature. Every round measures every form in turns, the next in the other order, so that
the machine's drift is in all of them alike. Needs root for the agent and for auditd; a form that can't be had is left out,
and that is said.
"""
import contextlib
import operator
import os
import pathlib
import shutil
import statistics
import subprocess
import time

CALLS = "execve,execveat,connect,sendto,sendmsg,sendmmsg,bind,listen,accept,accept4"
AUDITD = """log_file = {folder}/audit.log
log_format = RAW
flush = INCREMENTAL_ASYNC
freq = 50
max_log_file = 100
num_logs = 2
max_log_file_action = ROTATE
space_left = 5%
space_left_action = SYSLOG
admin_space_left = 1%
admin_space_left_action = SYSLOG
disk_full_action = SYSLOG
disk_error_action = SYSLOG
"""
NGINX = """daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{ access_log off; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  server {{ listen 127.0.0.1:8088; location / {{ return 200 "benign\\n"; }} }} }}
"""


def run(words, **options):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, **options)


@contextlib.contextmanager
def process(words, ready, log):
    """A process of ours, ended by its id when the block is left."""
    with open(log, "wb") as out:
        child = subprocess.Popen([str(word) for word in words], stdout=out, stderr=subprocess.STDOUT)
    try:
        end = time.monotonic() + 30
        while not ready():
            if child.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{words[0]} didn't start: {pathlib.Path(log).read_text(errors='replace')[-800:]}")
            time.sleep(0.05)
        yield child
    finally:
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


@contextlib.contextmanager
def agent(build, folder):
    log = folder / "agent.log"
    with process([build / "epitope-agent", "--state", folder / "agent", "--action", "watch"],
                 lambda: "protecting every process" in log.read_text(errors="replace"), log):
        yield


@contextlib.contextmanager
def empty_tracepoint(build, folder):
    log = folder / "tracepoint.log"
    with process([build / "program-cost", "--empty-tracepoint"], lambda: "attached" in log.read_text(errors="replace"), log):
        yield


def audit_nobody():
    """Once audited, a kernel takes every later process's system calls the slower way, rules or none, unless a rule says that
    no process is of interest."""
    run(["auditctl", "-D"])
    run(["auditctl", "-a", "never,task"])


@contextlib.contextmanager
def unaudited():
    """Nobody is audited, but within audit()."""
    if not shutil.which("auditctl"):
        yield
        return
    if run(["auditctl", "-l"]).stdout.startswith("-"):
        raise SystemExit("this machine has audit rules of its own: they are in every figure; run it where there are none")
    audit_nobody()
    try:
        yield
    finally:
        run(["auditctl", "-D"])


@contextlib.contextmanager
def audit(folder):
    if run(["auditctl", "-l"]).stdout.strip() != "-a never,task":
        raise RuntimeError("no audit rule can be set")
    run(["auditctl", "-D"])
    settings = folder / "audit"
    settings.mkdir(exist_ok=True)
    (settings / "auditd.conf").write_text(AUDITD.format(folder=folder))
    log = folder / "audit.log"
    with process(["auditd", "-n", "-s", "nochange", "-c", settings],
                 lambda: log.exists() and "DAEMON_START" in log.read_text(errors="replace"), folder / "auditd.log"):
        try:
            for words in (["auditctl", "-b", "8192"], ["auditctl", "-e", "1"],
                          ["auditctl", "-a", "always,exit", "-F", "arch=b64", "-S", CALLS, "-k", "epitope-bench"]):
                done = run(words)
                if done.returncode != 0:
                    raise RuntimeError(f"{' '.join(words)}: {done.stderr}")
            yield
        finally:
            run(["auditctl", "-e", "0"])
            audit_nobody()
    log.unlink(missing_ok=True)


def forms(build, folder):
    """NAME: (what goes before a command, what holds meanwhile), for what can be had here."""
    plain = contextlib.nullcontext
    found = {
        "unprotected": ([], plain),
        "agent": ([], lambda: agent(build, folder)),
        "tracepoint": ([], lambda: empty_tracepoint(build, folder)),
        "run": ([build / "epitope", "run", "--state", folder / "run", "--"], plain),
        "auditd": ([], lambda: audit(folder)),
    }
    for name in ("agent", "tracepoint", "auditd"):
        try:
            with found[name][1]():
                pass
        except (RuntimeError, OSError) as reason:
            print(f"{name} is left out: {reason}", flush=True)
            del found[name]
    return found


def redis(prefix, folder):
    """Requests a second of GET over 20 connections."""
    with process([*prefix, "redis-server", "--port", "7379", "--bind", "127.0.0.1", "--save", "", "--dir", folder],
                 lambda: run(["redis-cli", "-p", "7379", "ping"]).stdout.strip() == "PONG", folder / "redis.log"):
        out = run(["redis-benchmark", "-p", "7379", "-c", "20", "-n", "100000", "-t", "get", "--csv"], check=True).stdout
    return float(out.splitlines()[-1].split(",")[1].strip('"'))


def nginx(prefix, folder):
    """Requests a second of wrk over 20 connections."""
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder))
    fetch = ["curl", "-s", "http://127.0.0.1:8088/"]
    with process([*prefix, "nginx", "-c", folder / "nginx.conf", "-e", folder / "error.log"],
                 lambda: run(fetch).stdout == "benign\n", folder / "nginx.log"):
        out = run(["wrk", "-t1", "-c20", "-d3s", "http://127.0.0.1:8088/"], check=True).stdout
    return float(next(line.split()[1] for line in out.splitlines() if line.startswith("Requests/sec")))


def spawn(prefix, folder):
    """Processes a second that a shell forks and lets execute a program, one after the other."""
    count = 1500
    script = f"for i in {{1..{count}}}; do /bin/true; done"
    start = time.perf_counter()
    run([*prefix, "bash", "-c", script], check=True)
    return count / (time.perf_counter() - start)


def measure(build, folder, calls, rounds, say):
    """FORM: {what: (median, ratio to unprotected, what it is over unprotected)}, the calls in nanoseconds, the loads in requests
    or processes a second. A ratio or difference is the median of the rounds' own: what drifts on the machine is in both of its
    sides."""
    with unaudited():
        return measure_forms(build, folder, calls, rounds, say)


def measure_forms(build, folder, calls, rounds, say):
    everything = forms(build, folder)
    values = {name: {} for name in everything}
    for number in range(rounds):
        for name, (prefix, held) in list(everything.items())[::-1 if number % 2 else 1]:
            say(f"cost of protection: round {number + 1} of {rounds}, {name}")
            with held():
                out = run([*prefix, build / "call-cost", calls], check=True).stdout
                row = {call: float(cost) for call, cost in (line.split() for line in out.splitlines())}
                row["redis"] = redis(prefix, folder)
                row["nginx"] = nginx(prefix, folder)
                row["spawn"] = spawn(prefix, folder)
            for what, value in row.items():
                values[name].setdefault(what, []).append(value)
    base = values["unprotected"]
    return {name: {what: (statistics.median(numbers), statistics.median(map(operator.truediv, numbers, base[what])),
                          statistics.median(map(operator.sub, numbers, base[what])))
                   for what, numbers in row.items()} for name, row in values.items()}


def call_floor(build, calls, rounds):
    """{step: nanoseconds over bare}: the kernel's own part of a notified call, with each step that its inspection can't do
    without and all before it, as call-floor prints them; the median of the rounds' own differences."""
    over = {}
    for _ in range(rounds):
        out = run([build / "call-floor", calls], check=True).stdout
        row = {step: float(cost) for step, cost in (line.split() for line in out.splitlines())}
        bare = row.pop("bare")
        for step, cost in row.items():
            over.setdefault(step, []).append(cost - bare)
    return {step: statistics.median(costs) for step, costs in over.items()}


def show_floor(costs, floor):
    print("\nOf a sendto under epitope run, in microseconds over bare: the kernel's own part, by a program that does nothing else")
    for step, text in (("notification", "a notification that is answered at once"),
                       ("stack-pointer", "and the caller's registers read (/proc/TID/syscall)"),
                       ("memory", "and its stack and two pages of code read (process_vm_readv)")):
        print(f"{text:72}{floor[step] / 1000:8.1f}")
    print(f"{'epitope run':72}{costs['run']['sendto'][2] / 1000:8.1f}")


def program_cost(build, calls):
    """What the kernel program costs critical calls of a process without unbacked executable memory, as program-cost prints
    it. What it costs to begin a process, whose mappings are looked at, is in the rows of execve and spawn."""
    switch = pathlib.Path("/proc/sys/kernel/bpf_stats_enabled")
    before = switch.read_text()
    switch.write_text("1")
    try:
        out = run([build / "program-cost", build / "call-cost", calls, "sendto", "connect"], check=True).stdout.split()
    finally:
        switch.write_text(before)
    return dict(zip(out[::2], map(float, out[1::2])))


def show(costs, rounds, calls):
    print(f"\nA benign call in nanoseconds, and throughput under load (of unprotected in the same round); median of {rounds} rounds, {calls} calls")
    print(f"{'':14}" + "".join(f"{name:>24}" for name in costs))
    for what in costs["unprotected"]:
        cells = [f"{median:.0f} (x {ratio:.3f})" for median, ratio, _ in (row[what] for row in costs.values())]
        print(f"{what:14}" + "".join(f"{cell:>24}" for cell in cells))
    over = ", ".join(f"{call} {costs['run'][call][2] / 1000:.1f}" for call in ("sendto", "connect"))
    print(f"A benign call under epitope run costs so much over bare, in microseconds: {over}.")
    print("getppid is no critical call. tracepoint: a program that does nothing, where the agent has its own when the kernel lets no")
    print("security hook be used: every system call of the machine then takes a slower way in and out, whatever is done there. What is")
    print("lost in that column, the agent loses by the tracepoint's nature. By hooks only critical calls pay, and none of that.")


def unmarked(program):
    """(by the tracepoint, by a hook): nanoseconds of the program itself for an unmarked process, what it takes to measure
    them taken out."""
    return program["tracepoint"] - program["counting"], program["hook"] - program["hook-empty"]


def show_program(program):
    tracepoint, hook = unmarked(program)
    print("\nThe kernel program for a process without unbacked executable memory")
    print(f"{'':14}{'ns a call':>12}{'instructions':>16}{'how it was timed':>20}")
    print(f"{'tracepoint':14}{tracepoint:12.0f}{program['tracepoint-instructions']:16.0f}    by the kernel's count, less that of a"
          f" program that does nothing ({program['counting']:.0f})")
    print(f"{'other calls':14}{'':12}{program['other-instructions']:16.0f}    calls that are not critical, at the tracepoint")
    print(f"{'hook':14}{hook:12.0f}{program['hook-instructions']:16.0f}    run a million times (BPF_PROG_TEST_RUN), less an"
          f" empty one ({program['hook-empty']:.0f})")
    print(f"Instructions are those executed; the whole program has {program['all-instructions']:.0f}.")


def keys(costs, floor, program):
    """What a script reads; a form that could not be had is left out."""
    parts = []
    if program:
        tracepoint, hook = unmarked(program)
        parts.append(f"call_ns_unmarked={tracepoint:.0f} hook_ns_unmarked={hook:.0f}"
                     f" call_instructions_unmarked={program['tracepoint-instructions']:.0f}"
                     f" hook_instructions_unmarked={program['hook-instructions']:.0f}")
    parts.append(f"call_ns_bare={costs['unprotected']['sendto'][0]:.0f} call_ns_seccomp={costs['run']['sendto'][0]:.0f}"
                 f" call_us_run_over_bare={costs['run']['sendto'][2] / 1000:.1f} call_us_run_floor={floor['memory'] / 1000:.1f}")
    for name, prefix in (("agent", ""), ("tracepoint", "tracepoint_"), ("run", "run_"), ("auditd", "auditd_")):
        if name in costs:
            if name == "agent":
                parts.append(f"call_ns_agent={costs[name]['sendto'][0]:.0f}")
            parts += [f"{prefix}{load}_ratio={costs[name][load][1]:.3f}" for load in ("redis", "nginx", "spawn")]
    return " ".join(parts)
