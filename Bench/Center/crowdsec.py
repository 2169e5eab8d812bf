# SPDX-License-Identifier: Apache-2.0

"""CrowdSec's local API, as Debian has it, beside the center: what takes reports from machines there."""
import datetime
import json
import os
import pathlib
import ssl
import subprocess
import urllib.request

from running import Program
# Running knows where it is.
from bench_support import eventually, free_port

CONFIG = """
common: {{daemonize: false, log_media: stdout, log_level: error, working_dir: {folder}}}
config_paths:
  config_dir: {folder}
  data_dir: {folder}
  simulation_path: {folder}/simulation.yaml
  hub_dir: {folder}/hub
  index_path: {folder}/hub/.index.json
  notification_dir: {folder}
  plugin_dir: {folder}/plugins
crowdsec_service: {{enable: false}}
cscli: {{output: raw}}
db_config: {{log_level: error, type: sqlite, db_path: {folder}/crowdsec.db, use_wal: true, flush: {{max_items: 1000000, max_age: 7d}}}}
api:
  client: {{insecure_skip_verify: true, credentials_path: {folder}/credentials.yaml}}
  server:
    log_level: error
    listen_uri: 127.0.0.1:{port}
    profiles_path: {folder}/profiles.yaml
    tls: {{cert_file: {folder}/cert.pem, key_file: {folder}/key.pem}}
prometheus: {{enabled: false}}
"""


class CrowdSec:
    """Its server with a store of its own; TLS, a machine's token in each request, SQLite with a write-ahead log."""

    def __init__(self, files, folder):
        self.files, self.folder, self.port = pathlib.Path(files), pathlib.Path(folder), free_port()
        self.program = None

    @property
    def is_here(self):
        return (self.files / "usr/bin/crowdsec").exists()

    def start(self):
        """A machine's token; None, with the reason: it can't be had."""
        self.folder.mkdir(parents=True)
        for name in ("hub", "plugins"):
            (self.folder / name).mkdir()
        (self.folder / "hub/.index.json").write_text("{}")
        (self.folder / "simulation.yaml").write_text("simulation: false\n")
        (self.folder / "profiles.yaml").write_text(
            "name: default\nfilters: ['Alert.Remediation == true']\ndecisions: [{type: ban, duration: 4h}]\non_success: break\n")
        config = self.folder / "config.yaml"
        config.write_text(CONFIG.format(folder=self.folder, port=self.port))
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=x",
             "-keyout", self.folder / "key.pem", "-out", self.folder / "cert.pem"], check=True, capture_output=True)
        added = subprocess.run(
            [self.files / "usr/bin/cscli", "-c", config, "machines", "add", "m", "--password", "secret-of-the-bench", "-f",
             self.folder / "credentials.yaml", "--force"], capture_output=True, text=True)
        if added.returncode != 0:
            return None, f"cscli machines add: {added.stderr.strip().splitlines()[-1:]}"
        self.program = Program([self.files / "usr/bin/crowdsec", "-c", config, "-no-cs"], self.folder / "crowdsec.log")
        token = []

        def logs_in():
            try:
                token[:] = [self.login()]
                return True
            except OSError:
                return not self.program.runs

        eventually(30, logs_in, pause=0.2)
        return (token[0], None) if token else (None, (self.folder / "crowdsec.log").read_text()[-300:])

    def login(self):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        request = urllib.request.Request(
            f"https://127.0.0.1:{self.port}/v1/watchers/login",
            data=json.dumps({"machine_id": "m", "password": "secret-of-the-bench", "scenarios": ["demo/attack"]}).encode(),
            headers={"content-type": "application/json", "user-agent": "crowdsec/1.4.6"})
        return json.load(urllib.request.urlopen(request, context=context, timeout=5))["token"]

    @staticmethod
    def alert(payload_bytes):
        """One alert with one event, whose message is as long as a packet of Epitope's."""
        now = datetime.datetime.now(datetime.timezone.utc).isoformat()
        event = {"timestamp": now, "meta": [{"key": "message", "value": os.urandom(payload_bytes // 2).hex()}]}
        return [{
            "scenario": "demo/attack", "scenario_hash": "0", "scenario_version": "1", "message": "an attack", "events_count": 1,
            "start_at": now, "stop_at": now, "capacity": 1, "leakspeed": "10s", "simulated": False, "events": [event],
            "remediation": False, "source": {"scope": "Ip", "value": "192.0.2.7", "ip": "192.0.2.7"}}]

    def end(self):
        if self.program:
            self.program.end(10)
