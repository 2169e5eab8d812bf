# SPDX-License-Identifier: Apache-2.0

"""Connections beyond a limit, and peers that are slow."""
import resource
import signal
import socket
import ssl
import time

from trial import ENDED_S


def connected(center, count):
    """Silent TCP connections, as many as get in."""
    held = []
    for _ in range(count):
        try:
            held.append(socket.create_connection(("127.0.0.1", center.port), timeout=2))
        except OSError:
            break
    return held


def raise_limit(count):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))


def by_tls(center):
    """A connection whose handshake is done."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(socket.create_connection(("127.0.0.1", center.port), timeout=20), server_hostname="127.0.0.1")


def half_open(trial):
    """4,200 connections that say nothing, and 100 that have sent half a request"""
    center = trial.make_center()
    if not trial.start():
        return
    raise_limit(8192)
    held = connected(center, 4200)
    for _ in range(100):
        held.append(by_tls(center))
        held[-1].sendall(b"POST /v1/enroll HTTP/1.1\r\nhost: ")
    trial.fault()
    trial.attack(what=f"an attack beside {len(held)} connections that are half open")
    for connection in held:
        connection.close()
    trial.check()


def few_descriptors(trial):
    """more silent connections than the center has descriptors (soft limit 256)"""
    center = trial.make_center()
    if not trial.start(before=["bash", "-c", 'ulimit -S -n 256; exec "$@"', "bash"]):
        return
    held = connected(center, 300)
    trial.fault()
    time.sleep(1)
    cpu = center.program.cpu_seconds()
    time.sleep(3)
    if (used := center.program.cpu_seconds() - cpu) > 1.5:
        trial.note("wedged", f"the center uses {used / 3 * 100:.0f} % of a core while it can't accept")
    trial.attack(what=f"an attack beside {len(held)} silent connections")
    for connection in held:
        connection.close()
    trial.check()


def slow_request(trial):
    """a request whose body comes a byte at a time, while the center is to end"""
    center = trial.make_center()
    if not trial.start():
        return
    held = by_tls(center)
    held.sendall(b"POST /v1/enroll HTTP/1.1\r\nhost: x\r\ncontent-length: 32000\r\n\r\n")
    trial.fault()
    center.program.process.send_signal(signal.SIGTERM)
    end = time.monotonic() + ENDED_S
    while time.monotonic() < end and center.program.runs:
        try:
            held.sendall(b"{")
        except OSError:
            pass
        time.sleep(1)
    if center.program.runs:
        trial.note("wedged", f"the center did not end in {ENDED_S} s after SIGTERM while a request trickled in")
    held.close()
    trial.check()
