# SPDX-License-Identifier: Apache-2.0

"""Processes of a benchmark's or a trial's own, ended by their ids."""
import os
import pathlib
import signal
import subprocess


class Program:
    """A process of ours."""

    def __init__(self, words, log, **options):
        self.log = pathlib.Path(log)
        with open(log, "ab") as out:
            self.process = subprocess.Popen([str(word) for word in words], stdout=out, stderr=subprocess.STDOUT, **options)

    @property
    def pid(self):
        return self.process.pid

    @property
    def runs(self):
        return self.process.poll() is None

    def kill(self):
        if self.runs:
            self.process.kill()
        self.process.wait()

    def end(self, seconds=20):
        """Whether it ended by SIGTERM; else it is killed."""
        if self.runs:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(seconds)
            return True
        except subprocess.TimeoutExpired:
            self.kill()
            return False

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self, line_name="VmHWM"):
        """The most memory that it had so far; VmRSS: what it has now."""
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(f"{line_name}:"):
                return int(line.split()[1]) / 1024
        return 0.0


def descendants(pid):
    """The processes below one."""
    parents = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                pass
    found, more = [], [pid]
    while more:
        more = [child for child, parent in parents.items() if parent in more]
        found += more
    return found


def signal_all(processes, number):
    for process in processes:
        try:
            os.kill(process, number)
        except ProcessLookupError:
            pass
