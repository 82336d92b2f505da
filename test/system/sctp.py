#!/usr/bin/env python3
"""SCTP without the kernel's: raw packets, for kernels that have no SCTP sockets. `sctp.py serve PORT` answers each INIT with an ABORT and
says who sent it; `sctp.py ask ADDRESS PORT` sends an INIT from port 40000 and says who answered. The
INIT is sent again until somebody answers, as SCTP would, so either may start first."""
import socket, struct, sys

def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF

def packet(source, to, tag, chunk):
    head = struct.pack(">HHI", source, to, tag)
    crc = crc32c(head + b"\0\0\0\0" + chunk)
    return head + struct.pack("<I", crc) + chunk

INIT = struct.pack(">BBHIIHHI", 1, 0, 20, 0x1234, 65535, 1, 1, 7)
ABORT = struct.pack(">BBH", 6, 0, 4)
verb, port = sys.argv[1], int(sys.argv[-1])
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 132)
s.settimeout(0.3 if verb == "ask" else 60)
tries = 200
while True:
    if verb == "ask":
        s.sendto(packet(40000, port, 0, INIT), (sys.argv[2], 0))
    try:
        data, peer = s.recvfrom(2000)
    except TimeoutError:
        tries -= 1
        if verb == "ask" and tries > 0:
            continue
        raise
    data = data[(data[0] & 15) * 4:]
    source, to = struct.unpack(">HH", data[:4])
    if verb == "serve" and to == port and data[12] == 1:
        s.sendto(packet(to, source, 0x1234, ABORT), (peer[0], 0))
    elif verb != "ask" or to != 40000:
        continue
    print(peer[0], source, flush=True)
    break
