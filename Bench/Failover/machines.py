# SPDX-License-Identifier: Apache-2.0

"""Machines of a trial's own: each a network namespace with one cable to a bridge, so that what is cut is really cut."""
import os
import pathlib
import signal
import subprocess
import time

from processes import Program, signal_all

# Addresses that are nobody's (RFC 5737): the examples' own.
NETWORK, HERE = "192.0.2", "192.0.2.1"
BRIDGE = "switch"
NAMESPACES = "/run/netns"


def run(*words, **options):
    return subprocess.run([str(word) for word in words], check=True, capture_output=True, text=True, **options).stdout


def make_network():
    """The bridge, in this process's own namespace, which is on it as a machine from which load comes."""
    pathlib.Path(NAMESPACES).mkdir(exist_ok=True)
    # This mount namespace's own: the machine's other namespaces are left alone, and nothing is left over.
    run("mount", "-t", "tmpfs", "tmpfs", NAMESPACES)
    run("ip", "link", "add", BRIDGE, "type", "bridge", "forward_delay", "0")
    run("ip", "address", "add", f"{HERE}/24", "dev", BRIDGE)
    run("ip", "link", "set", BRIDGE, "up")


class Machine:
    """A network namespace with an address, and all processes in it."""

    def __init__(self, name, number):
        self.name, self.address = name, f"{NETWORK}.{number}"
        self.is_cut = self.is_frozen = False
        run("ip", "netns", "add", name)
        run("ip", "link", "add", f"to-{name}", "type", "veth", "peer", "name", "eth0", "netns", name)
        run("ip", "link", "set", f"to-{name}", "master", BRIDGE, "up")
        for words in (f"address add {self.address}/24 dev eth0", "link set eth0 up", "link set lo up"):
            run("ip", "-n", name, *words.split())
        self.namespace = os.stat(f"{NAMESPACES}/{name}").st_ino

    def words(self, *words, user=None):
        """A command on this machine."""
        as_user = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"] if user else []
        named = ["unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', self.name]
        return ["nsenter", f"--net={NAMESPACES}/{self.name}", *named, *as_user, *words]

    def start(self, words, log, user=None, **options):
        return Program(self.words(*words, user=user), log, **options)

    def run(self, *words, user=None, **options):
        return run(*self.words(*words, user=user), **options)

    def processes(self):
        """The ids of all that runs here."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    if os.stat(entry / "ns/net").st_ino == self.namespace:
                        found.append(int(entry.name))
                except OSError:
                    pass
        return found

    def freeze(self):
        """Stops all that runs here, as a machine that is paused, except that its kernel still acknowledges what it gets."""
        self.is_frozen = True
        self.signal(signal.SIGSTOP)

    def thaw(self):
        self.is_frozen = False
        self.signal(signal.SIGCONT)

    def kill(self):
        """Ends all that runs here, as a power cut does."""
        self.signal(signal.SIGKILL)

    def signal(self, number):
        # Twice: a process may have started another one meanwhile.
        for _ in range(2):
            signal_all(self.processes(), number)
            time.sleep(0.02)

    def cut(self, incoming=True, outgoing=True, peers=None):
        """Drops what comes in, what goes out, or both: all of it, or what comes from and goes to some machines.

        Silently: whoever waits for an answer is told nothing.
        """
        self.is_cut = True
        rules = ["table inet fault {"]
        for hook, word, is_cut in (("input", "saddr", incoming), ("output", "daddr", outgoing)):
            if is_cut:
                what = f"ip {word} {{ {', '.join(peer.address for peer in peers)} }} drop" if peers else "oifname eth0 drop"
                what = what.replace("oifname", "iifname") if hook == "input" else what
                rules.append(f"chain {hook} {{ type filter hook {hook} priority 0; {what}; }}")
        self.run("nft", "-f", "-", input="\n".join([*rules, "}"]))

    def unplug(self):
        """Takes the cable out: this machine sees it, the others don't."""
        self.is_cut = True
        run("ip", "link", "set", f"to-{self.name}", "down")

    def join(self):
        """Ends a cut."""
        if self.is_cut:
            self.run("nft", "flush", "ruleset")
            run("ip", "link", "set", f"to-{self.name}", "up")
        self.is_cut = False
