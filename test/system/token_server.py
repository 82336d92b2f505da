#!/usr/bin/env python3
"""The token service of a registry, on loopback, as docker.com and harbor have one: signed tokens for what the user may do.

    token_server.py DIR   DIR/cert.pem and DIR/key.pem sign (RSA), DIR/port is written, each request is a JSON line in DIR/log

user/pass may everything; a stranger may pull from public/. identity-1 is the refresh token of the user.
"""
import base64
import hashlib
import http.server
import json
import os
import subprocess
import sys
import time
import urllib.parse

DIR = sys.argv[1]


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def certificate():
    lines = open(f"{DIR}/cert.pem").read().split("-----")[2]
    return "".join(lines.split())


def sign(claims):
    head = b64(json.dumps({"typ": "JWT", "alg": "RS256", "x5c": [certificate()]}).encode())
    text = head + "." + b64(json.dumps(claims).encode())
    made = subprocess.run(["openssl", "dgst", "-sha256", "-sign", f"{DIR}/key.pem"], input=text.encode(), capture_output=True, check=True)
    return text + "." + b64(made.stdout)


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def grant(self, fields, user):
        access = []
        for scope in " ".join(fields.get("scope", [])).split():
            kind, name, actions = scope.split(":", 2)
            allowed = actions.split(",") if user else ["pull"] if name.startswith("public/") else []
            if allowed:
                access.append({"type": kind, "name": name, "actions": allowed})
        now = int(time.time())
        token = sign({"iss": "tests", "sub": user or "", "aud": fields["service"][0], "iat": now, "nbf": now - 5, "exp": now + 300,
                      "jti": hashlib.sha256(os.urandom(8)).hexdigest()[:16], "access": access})
        with open(f"{DIR}/log", "a") as log:
            log.write(json.dumps({"method": self.command, "user": user, "fields": fields}) + "\n")
        return token

    def do_GET(self):
        fields = urllib.parse.parse_qs(urllib.parse.urlparse(self.path).query)
        kind, _, secret = (self.headers.get("Authorization") or "").partition(" ")
        if kind and base64.b64decode(secret) != b"user:pass":
            return self.answer(401, {"details": "incorrect username or password"})
        answer = {"token": self.grant(fields, "user" if kind else None), "expires_in": 300}
        if fields.get("offline_token") == ["true"]:
            answer["refresh_token"] = "identity-1"
        self.answer(200, answer)

    def do_POST(self):
        fields = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        if fields.get("grant_type") != ["refresh_token"] or fields.get("refresh_token") != ["identity-1"]:
            return self.answer(401, {"details": "invalid grant"})
        self.answer(200, {"access_token": self.grant(fields, "user"), "expires_in": 300})


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open(f"{DIR}/port.new", "w") as f:
    f.write(str(server.server_port))
os.rename(f"{DIR}/port.new", f"{DIR}/port")
server.serve_forever()
