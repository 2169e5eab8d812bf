# SPDX-License-Identifier: Apache-2.0

"""The load's ledger of receipts: which packets were acknowledged, and when none was."""
import pathlib
import threading
import time

# How often the ledger is looked at, in seconds: so exact is what is said of a pause.
LOOK_S = 0.01
# Shorter pauses are the load's own.
PAUSE_S = 0.1


class Receipts:
    """The file to which the load writes a line for each acknowledged packet, watched while it grows."""

    def __init__(self, path):
        self.path, self.size, self.grew = pathlib.Path(path), 0, time.monotonic()
        # Beginnings and ends of the pauses that are over.
        self.pauses, self.lock = [], threading.Lock()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self):
        while True:
            time.sleep(LOOK_S)
            size, now = self.path.stat().st_size if self.path.exists() else 0, time.monotonic()
            if size > self.size:
                with self.lock:
                    if now - self.grew > PAUSE_S:
                        self.pauses.append((self.grew, now))
                    self.size, self.grew = size, now

    def longest_pause(self, since):
        """For how many seconds at a time nothing was acknowledged after a moment."""
        with self.lock:
            return max([end - max(begin, since) for begin, end in [*self.pauses, (self.grew, time.monotonic())] if end > since] or [0.0])

    def ids(self):
        return self.path.read_text().split() if self.path.exists() else []
