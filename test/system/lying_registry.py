#!/usr/bin/env python3
"""A registry on loopback that lies: the name of the repository says how.

    lying_registry.py DIR   writes DIR/port, DIR/other (a second port that must never see a token), logs each request as one JSON line
                            to DIR/log, and serves until it is killed. TLS when DIR/cert.pem and DIR/key.pem exist.
"""
import gzip
import hashlib
import http.server
import io
import json
import os
import random
import ssl
import sys
import tarfile
import threading
import time
import zlib

DIR = sys.argv[1]
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
LOCK = threading.Lock()
COUNTS = {}
SECURE = os.path.exists(f"{DIR}/cert.pem")


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def make_layer(seed, size):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for name, data in (("hello", b"hello\n"), ("data", random.Random(seed).randbytes(size))):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return raw.getvalue(), gzip.compress(raw.getvalue(), 1, mtime=0)


def bomb(megabytes):
    """Zeros packed by gzip, made at once: one packed block of a megabyte, many times. A server that had to pack them while the client
    waits would only look as if it stalled. (The checksum at the end is wrong: nobody may come so far.)"""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08\0\0\0\0\0\0\3" + block * megabytes + b"\3\0" + bytes(8)


PLAIN, LAYER = make_layer(1, 3 << 20)
CONFIG = json.dumps({"architecture": "amd64", "os": "linux", "created": "2020-01-01T00:00:00Z", "config": {"Cmd": ["/hello"]},
                     "rootfs": {"type": "layers", "diff_ids": [digest(PLAIN)]}}).encode()
LIAR = CONFIG.replace(digest(PLAIN).encode(), ("sha256:" + "1" * 64).encode())
ARM = CONFIG.replace(b"amd64", b"riscv64")
BLOBS = {digest(b): b for b in (LAYER, CONFIG, ARM, LIAR)}


def manifest(**changes):
    layer = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": digest(LAYER), "size": len(LAYER)}
    layer.update(changes.pop("layer", {}))
    config = changes.pop("config", CONFIG)
    doc = {"schemaVersion": 2, "mediaType": MANIFEST, "layers": [layer],
           "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(config), "size": len(config)}}
    doc.update(changes)
    return json.dumps(doc).encode()


GOOD = manifest()
FOREIGN = manifest(config=ARM)
INDEX_FOREIGN = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
    {"mediaType": MANIFEST, "digest": digest(FOREIGN), "size": len(FOREIGN), "platform": {"os": "linux", "architecture": "riscv64"}}]}).encode()


NESTED = [INDEX_FOREIGN]
for _ in range(5):
    NESTED.append(json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
        {"mediaType": INDEX, "digest": digest(NESTED[-1]), "size": len(NESTED[-1])}]}).encode())


def count(key):
    with LOCK:
        COUNTS[key] = COUNTS.get(key, 0) + 1
        return COUNTS[key]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def note(self):
        with LOCK, open(f"{DIR}/log", "a") as log:
            log.write(json.dumps({"port": self.server.server_port, "method": self.command, "path": self.path,
                                  "authorization": self.headers.get("Authorization"), "range": self.headers.get("Range"),
                                  "peer": self.client_address[1]}) + "\n")

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def error(self, status, code, **headers):
        self.answer(status, json.dumps({"errors": [{"code": code, "message": code.lower().replace("_", " ")}]}).encode(),
                    Content_Type="application/json", **headers)

    def base(self, port=None):
        return f"{'https' if SECURE else 'http'}://localhost:{port or self.server.server_port}"

    def challenge(self, realm=None):
        self.error(401, "UNAUTHORIZED", WWW_Authenticate=f'Bearer realm="{realm or self.base() + "/token"}",service="liar"')

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        self.note()
        path = self.path.split("?")[0]
        if path == "/token":
            mode = self.path.split("repository%3A")[1].split("%3A")[0]
            return self.answer(200, json.dumps({"token": f"secret-{mode}-{count('token/' + mode)}"}).encode())
        if path.startswith("/elsewhere/"):
            return self.blob("crosshost", path[len("/elsewhere/"):])
        if path == "/loop":
            return self.answer(307, Location="/loop")
        parts = path.split("/")
        if len(parts) < 5 or parts[1] != "v2":
            return self.answer(200, b"{}")
        mode, kind, what = parts[2], parts[3], "/".join(parts[4:])
        if kind == "manifests":
            return self.manifest(mode, what)
        if kind == "blobs":
            return self.blob(mode, what)
        return self.answer(404)

    def manifest(self, mode, what):
        authorization = self.headers.get("Authorization")
        kind, body, headers = MANIFEST, GOOD, {}
        if mode in ("crosshost", "expiring") and not authorization:
            return self.challenge()
        if mode == "loop401":
            return self.challenge()
        if mode == "metadata":
            return self.challenge("http://169.254.169.254/latest/meta-data")
        if mode == "plainrealm":
            return self.challenge("http://localhost:1/token")
        if mode == "busy" and count("busy") <= 2:
            return self.error(429, "TOOMANYREQUESTS", Retry_After="1")
        if mode == "failing" and count("failing") <= 2:
            return self.error(503, "UNAVAILABLE")
        if mode == "redirects":
            return self.answer(307, Location="/loop")
        if mode == "headers":
            return self.answer(200, body, Content_Type=kind, X_Junk="x" * 90000, X_More="y" * 90000)
        if mode == "missing":
            return self.error(404, "MANIFEST_UNKNOWN")
        if mode == "packed":
            body, headers = gzip.compress(body), {"Content_Encoding": "gzip"}
        if mode == "bomb":
            body, headers = bomb(10 << 10), {"Content_Encoding": "gzip"}
        if mode == "large":
            body = body + b" " * (5 << 20)
        if mode == "otherdigest":
            headers = {"Docker_Content_Digest": "sha256:" + "0" * 64}
        if mode == "both":
            body = manifest(manifests=[])
        if mode == "wrongtype":
            kind = INDEX
        if mode == "wrongdiff":
            body = manifest(config=LIAR)
        if mode == "urls":
            body = manifest(layer={"urls": [f"{self.base(OTHER)}/elsewhere/{digest(LAYER)}"]})
        if mode == "manylayers":
            body = manifest(layers=[{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": digest(LAYER),
                                     "size": len(LAYER)}] * 128)
        if mode == "nested":
            kind, body = INDEX, NESTED[-1]
            if what.startswith("sha256:"):
                body = next(d for d in NESTED if digest(d) == what)
        if mode == "inside":
            return self.answer(307, Location="http://169.254.169.254/latest/meta-data")
        if mode == "traversal":
            body = manifest(layer={"digest": "sha256:../../../../../../tmp/evil"})
        if mode == "short":
            body = manifest(layer={"size": len(LAYER) + 1000})
        if mode == "long":
            body = manifest(layer={"size": len(LAYER) - 1000})
        if mode == "foreign":
            kind, body = INDEX, INDEX_FOREIGN
            if what == digest(FOREIGN):
                kind, body = MANIFEST, FOREIGN
        if mode == "junk":
            return self.answer(200, b"<html>login to the hotel</html>", Content_Type="text/html")
        self.answer(200, body, Content_Type=kind, **headers)

    def blob(self, mode, what):
        data = BLOBS.get(what)
        if data is None:
            return self.error(404, "BLOB_UNKNOWN")
        if data is not LAYER:
            return self.answer(200, data)
        tries = count(mode + "/blob")
        if mode == "crosshost" and not self.path.startswith("/elsewhere/"):
            return self.answer(307, Location=f"{self.base(OTHER)}/elsewhere/{what}")
        if mode == "expiring" and self.headers.get("Authorization") == "Bearer secret-expiring-1":
            return self.challenge()
        if mode == "corrupt":
            return self.answer(200, data[:-100] + b"x" * 100)
        start, status, headers = 0, 200, {}
        wanted = self.headers.get("Range")
        if wanted and mode != "norange":
            start, status = int(wanted[len("bytes="):-1]), 206
            if start >= len(data):
                return self.error(416, "RANGE_INVALID")
            headers["Content_Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        breaks = (mode in ("truncate", "norange") and tries <= 2) or mode == "always"
        if not breaks and not mode.startswith("stall"):
            return self.answer(status, data[start:], **headers)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        end = start if mode == "always" and tries > 1 else len(data) * tries // 4
        self.wfile.write(data[start:max(end, start)])
        self.wfile.flush()
        if mode.startswith("stall"):
            time.sleep(600)
        self.close_connection = True


def serve():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if SECURE:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{DIR}/cert.pem", f"{DIR}/key.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True)
    return server


server, other = serve(), serve()
OTHER = other.server_port
for name, port in (("other", OTHER), ("port", server.server_port)):
    with open(f"{DIR}/{name}.new", "w") as f:
        f.write(str(port))
    os.rename(f"{DIR}/{name}.new", f"{DIR}/{name}")
threading.Thread(target=other.serve_forever, daemon=True).start()
server.serve_forever()
