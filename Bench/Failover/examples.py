# SPDX-License-Identifier: Apache-2.0

"""The files of Examples/failover, as an operator fills them in: what is tried is what is documented."""
import pathlib
import secrets

FOLDER = pathlib.Path(__file__).resolve().parent.parent.parent / "Examples/failover"
PASSWORDS = {word: secrets.token_hex(12) for word in
             ("REST_PASSWORD", "SUPERUSER_PASSWORD", "REPLICATION_PASSWORD", "REWIND_PASSWORD", "DATABASE_PASSWORD")}


def filled(name, machine, others=None):
    """An example for a machine: with its name, its address and passwords, and where it names a folder another one."""
    text = (FOLDER / name).read_text()
    for word, value in {"THIS_NAME": machine.name, "THIS_ADDRESS": machine.address, **PASSWORDS}.items():
        text = text.replace(word, value)
    for word, value in (others or {}).items():
        assert word in text, f"Examples/failover/{name} no longer names {word}"
        text = text.replace(word, str(value))
    return text


def environment(name, machine, others=None):
    """An example of the form NAME=VALUE, as systemd reads it."""
    lines = [line for line in filled(name, machine, others).splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)
