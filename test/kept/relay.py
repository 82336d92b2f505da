"""Stands between the clients of a container's monitor and the monitor: relay.py RUN-DIRECTORY. Prints each message as
"> HEX" (from the client) or "< HEX" (from the monitor); an empty line begins a connection."""
import os
import selectors
import signal
import socket
import sys

os.chdir(sys.argv[1])  # a unix socket's path is short
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
server = socket.socket(socket.AF_UNIX)
server.bind("sock")
server.listen()
HEADER = 8


def messages(data):
    while data:
        size = HEADER + int.from_bytes(data[4:8], "big")
        yield data[:size]
        data = data[size:]


while True:
    client = server.accept()[0]
    monitor = socket.socket(socket.AF_UNIX)
    monitor.connect("sock.monitor")
    print(flush=True)
    selector = selectors.DefaultSelector()
    selector.register(client, selectors.EVENT_READ, (">", monitor))
    selector.register(monitor, selectors.EVENT_READ, ("<", client))
    while selector.get_map():
        for key, _ in selector.select():
            sign, other = key.data
            data = key.fileobj.recv(1 << 16)
            if not data:
                selector.close()
                break
            for message in messages(data):
                print(sign, message.hex(), flush=True)
            other.sendall(data)
        else:
            continue
        break
    client.close()
    monitor.close()
