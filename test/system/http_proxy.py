#!/usr/bin/env python3
"""An HTTP proxy on loopback for which every name is 127.0.0.1: http_proxy.py DIR

Writes DIR/port and logs each request as a line in DIR/log: method, target, Proxy-Authorization. CONNECT and absolute URLs."""
import os
import select
import socket
import sys
import threading
from urllib.parse import urlsplit

DIR = sys.argv[1]


def pump(a, b):
    while True:
        for one in select.select([a, b], [], [])[0]:
            data = one.recv(65536)
            if not data:
                return
            (b if one is a else a).sendall(data)


def serve(client):
    head = b""
    while b"\r\n\r\n" not in head:
        data = client.recv(65536)
        if not data:
            return
        head += data
    head, _, rest = head.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    method, target, version = lines[0].split(" ")
    secret = [l.split(": ", 1)[1] for l in lines if l.lower().startswith("proxy-authorization:")]
    with open(f"{DIR}/log", "a") as log:
        log.write(f"{method} {target} {' '.join(secret)}\n")
    if method == "CONNECT":
        port = target.rsplit(":", 1)[1]
        server = socket.create_connection(("127.0.0.1", int(port)))
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    else:
        url = urlsplit(target)
        server = socket.create_connection(("127.0.0.1", url.port or 80))
        lines[0] = f"{method} {url.path or '/'}{'?' + url.query if url.query else ''} {version}"
        lines = [l for l in lines if not l.lower().startswith("proxy-")] + ["Connection: close"]
        server.sendall("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n")
    server.sendall(rest)
    pump(client, server)
    client.close()
    server.close()


def guarded(client):
    try:
        serve(client)
    except OSError:
        client.close()


listener = socket.create_server(("127.0.0.1", 0))
with open(f"{DIR}/port.new", "w") as f:
    f.write(str(listener.getsockname()[1]))
os.rename(f"{DIR}/port.new", f"{DIR}/port")
while True:
    threading.Thread(target=guarded, args=(listener.accept()[0],), daemon=True).start()
