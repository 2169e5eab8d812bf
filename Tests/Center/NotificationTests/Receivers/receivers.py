#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Receivers of notices on loopback, each by the library that its own users have: webhooks (standardwebhooks), OTLP (opentelemetry-proto),
OCSF (py-ocsf-models), mail (aiosmtpd with STARTTLS and a login), syslog over TLS.

usage: receivers.py FOLDER      (FOLDER has cert.pem, key.pem and secret)
Prints `ready http=PORT https=PORT smtp=PORT tls=PORT`, and adds a line of JSON to FOLDER/received for each message: receiver, path, headers,
body in base64, and what the library made of it. EPITOPE_RECEIVER_PORT: the port of http; otherwise a free one.
"""
import base64
import http.server
import json
import os
import socket
import ssl
import sys
import threading
import time

folder = sys.argv[1]
lock = threading.Lock()
seen = {}


def note(**fields):
    with lock, open(f"{folder}/received", "a") as file:
        file.write(json.dumps(fields) + "\n")


def webhook(body, headers):
    from standardwebhooks import Webhook
    with open(f"{folder}/secret") as file:
        return Webhook(file.read().strip()).verify(body, dict(headers))["type"]


def otlp(body, _):
    from google.protobuf import json_format
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    request = json_format.Parse(body, ExportLogsServiceRequest())
    logs = [record for resource in request.resource_logs for scope in resource.scope_logs for record in scope.log_records]
    return {
        "service": next(a.value.string_value for a in request.resource_logs[0].resource.attributes if a.key == "service.name"),
        "logs": [
            {"body": log.body.string_value, "severity": log.severity_number, "time": log.time_unix_nano, "name": log.event_name,
             "id": next(a.value.string_value for a in log.attributes if a.key == "epitope.id"),
             "sid": next((a.value.int_value for a in log.attributes if a.key == "epitope.sid"), None)}
            for log in logs
        ],
    }


def ocsf(body, _):
    from py_ocsf_models.events.findings.detection_finding import DetectionFinding
    finding = DetectionFinding.model_validate_json(body)
    return {"uid": finding.finding_info.uid, "severity": finding.severity_id.name, "type": finding.type_uid.name,
            "product": finding.metadata.product.name, "observables": len(finding.observables or [])}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        kind = self.path.split("/")[1]
        with lock:
            seen[self.path] = seen.get(self.path, 0) + 1
            times = seen[self.path]
        status, answer, verdict = 200, b"ok", None
        check = {"webhook": webhook, "otlp": otlp, "ocsf": ocsf}.get(kind)
        if check:
            try:
                verdict = check(body, self.headers)
                answer = b"{}"
            except Exception as error:
                status, answer = 401, f"{type(error).__name__}: {error}"[:200].encode()
                verdict = answer.decode()
        elif kind == "status":
            status = int(self.path.split("/")[2])
        elif kind == "flaky":
            status = 503 if times <= 2 else 204
        elif kind == "partial":
            answer = b'{"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"one is not wanted"}}'
        elif kind == "picky":
            # Refuses what is about the one thing, whatever else comes.
            status = 400 if b"unwanted" in body else 200
        note(receiver="http", path=self.path, headers={k.lower(): v for k, v in self.headers.items()},
             body=base64.b64encode(body).decode(), verdict=verdict, status=status)
        if kind == "hang":
            time.sleep(600)
        if kind == "slow":
            time.sleep(0.5)
        if kind == "redirect":
            self.send_response(307)
            self.send_header("location", "/stolen")
            self.send_header("content-length", "0")
            self.end_headers()
            return
        self.send_response(status)
        if status == 429:
            self.send_header("retry-after", "1")
        if status != 204:
            self.send_header("content-length", str(len(answer)))
        self.end_headers()
        if status != 204:
            self.wfile.write(answer)

    def log_message(self, *_):
        pass


def tls_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{folder}/cert.pem", f"{folder}/key.pem")
    return context


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True


def serve_http(port=0, tls=False):
    server = Server(("127.0.0.1", port), Handler)
    if tls:
        server.socket = tls_context().wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def serve_mail():
    from aiosmtpd.controller import Controller
    from aiosmtpd.smtp import SMTP, AuthResult

    class Inbox:
        async def handle_DATA(self, server, session, envelope):
            note(receiver="mail", sender=envelope.mail_from, to=envelope.rcpt_tos, body=base64.b64encode(envelope.original_content).decode(),
                 tls=session.ssl is not None, user=(session.auth_data or b"").decode() if session.authenticated else None)
            if b"unwanted" in envelope.original_content:
                return "554 5.7.1 not wanted here"
            return "250 2.0.0 taken as 4711"

    def login(server, session, envelope, mechanism, data):
        ok = data.login == b"epitope" and data.password == b"correct horse"
        return AuthResult(success=ok, handled=False, auth_data=data.login)

    class Mail(Controller):
        def factory(self):
            return SMTP(self.handler, tls_context=tls_context(), require_starttls=True, authenticator=login, auth_required=True)

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    listener.close()
    Mail(Inbox(), hostname="127.0.0.1", port=port).start()
    return port


def serve_syslog_tls():
    listener = socket.create_server(("127.0.0.1", 0))
    context = tls_context()

    def take(connection):
        try:
            with context.wrap_socket(connection, server_side=True) as stream:
                data = b""
                while part := stream.recv(65536):
                    data += part
                stream.unwrap()
            note(receiver="tls", body=base64.b64encode(data).decode())
        except OSError as error:
            note(receiver="tls", error=str(error))

    def accept():
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=take, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


ports = {"http": serve_http(int(os.environ.get("EPITOPE_RECEIVER_PORT", 0))), "https": serve_http(tls=True), "smtp": serve_mail(),
         "tls": serve_syslog_tls()}
print("ready " + " ".join(f"{name}={port}" for name, port in ports.items()), flush=True)
threading.Event().wait()
