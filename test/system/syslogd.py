"""syslogd.py KIND ADDRESS OUT: a syslog server for tests (udp, tcp, unixgram, unix). What it takes stands in OUT, one repr a line;
what a connection ended in the middle of, behind the word TORN."""
import socket
import sys

kind, address, out = sys.argv[1:4]
family = socket.AF_UNIX if kind.startswith("unix") else socket.AF_INET
server = socket.socket(family, socket.SOCK_DGRAM if kind in ("unixgram", "udp") else socket.SOCK_STREAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(address if family == socket.AF_UNIX else ("127.0.0.1", int(address)))
if server.type == socket.SOCK_STREAM:
    server.listen()
log = open(out, "ab", buffering=0)
print("ready", flush=True)
while server.type == socket.SOCK_DGRAM:
    log.write(repr(server.recv(1 << 18)).encode() + b"\n")
while True:
    connection, _ = server.accept()
    rest = b""
    while part := connection.recv(1 << 16):
        *lines, rest = (rest + part).split(b"\n")
        log.write(b"".join(repr(line).encode() + b"\n" for line in lines))
    if rest:
        log.write(b"TORN " + repr(rest).encode() + b"\n")
