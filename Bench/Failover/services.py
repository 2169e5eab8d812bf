# SPDX-License-Identifier: Apache-2.0

"""Programs that are started again when they end, as a service manager does."""
import pathlib
import signal
import threading
import time

from processes import signal_all


class Service:
    """A program on a machine.

    - `after`: how many seconds after its end it is started again.
    - `rest`: which processes are left of it, once it ended by itself: they are killed (KillMode=mixed).
    """

    def __init__(self, machine, words, log, user=None, after=1.0, rest=None, **options):
        self.machine, self.words, self.user, self.after, self.options = machine, words, user, after, options
        self.log = pathlib.Path(log)
        self.rest = rest or (lambda: [])
        self.program, self.starts, self.is_wanted, self.lock = None, 0, False, threading.RLock()
        threading.Thread(target=self._watch, daemon=True).start()

    @property
    def runs(self):
        return self.program is not None and self.program.runs

    @property
    def pid(self):
        return self.program.pid

    def start(self):
        with self.lock:
            self.is_wanted = True
            if not self.runs:
                self.program = self.machine.start(self.words, self.log, user=self.user, **self.options)
                self.starts += 1

    def kill(self, comes_back=True):
        """SIGKILL. Unless it comes back by itself, it is away until it is started."""
        with self.lock:
            self.is_wanted = comes_back
            if self.program:
                self.program.kill()
            self._kill_rest()

    def end(self, seconds=20):
        with self.lock:
            self.is_wanted = False
        return self.program is None or self.program.end(seconds)

    def _kill_rest(self):
        signal_all(self.rest(), signal.SIGKILL)

    def _watch(self):
        while True:
            time.sleep(0.1)
            if not self.is_wanted or self.runs:
                continue
            self._kill_rest()
            time.sleep(self.after)
            with self.lock:
                if self.is_wanted and not self.machine.is_frozen:
                    self.start()
