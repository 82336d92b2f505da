"""Name servers for tests, by UDP and TCP at port 53 of the addresses given: the first two answer "one.test" with 192.0.2.1 and .2,
the third is silent (and says on its standard output that it was asked), the fourth sends forged answers before the true one. large.test has forty TXT records."""
import selectors
import socket
import struct
import sys

servers = selectors.DefaultSelector()


def answer(query, number):
    end = query.index(b"\0", 12) + 5
    name = query[12 : end - 5].lower()
    kind = struct.unpack(">H", query[end - 4 : end - 2])[0]
    records = []
    if name == b"\3one\4test" and kind == 1:
        records = [b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4" + bytes([192, 0, 2, number])]
    elif name == b"\5large\4test" and kind == 16:
        records = [b"\xc0\x0c\0\x10\0\1\0\0\0\1\0\x65\x64" + b"%02d" % i + b"x" * 98 for i in range(40)]
    elif name not in (b"\3one\4test", b"\5large\4test"):
        return query[:2] + b"\x81\x83\0\1\0\0\0\0\0\0" + query[12:end]
    return query[:2] + b"\x81\x80\0\1" + struct.pack(">H", len(records)) + b"\0\0\0\0" + query[12:end] + b"".join(records)


def udp(s, number):
    query, peer = s.recvfrom(4096)
    if number == 3:
        print("asked", flush=True)
        return
    whole = answer(query, number)
    if number == 4:
        forged = whole[:-1] + b"\x63"
        s.sendto(bytes([query[0] ^ 1]) + forged[1:], peer)
        s.sendto(forged[:13] + b"xxx" + forged[16:], peer)
        s.sendto(forged[:20], peer)
    if len(whole) > 512:
        whole = whole[:2] + b"\x83\x80\0\1\0\0\0\0\0\0" + whole[12 : query.index(b"\0", 12) + 5]
    s.sendto(whole, peer)


def tcp(s, number):
    c, _ = s.accept()
    c.settimeout(20)
    try:
        size = struct.unpack(">H", c.recv(2, socket.MSG_WAITALL))[0]
        query = c.recv(size, socket.MSG_WAITALL)
        if number != 3:
            whole = answer(query, number)
            c.sendall(struct.pack(">H", len(whole)) + whole)
    except OSError:
        pass
    c.close()


for number, address in enumerate(sys.argv[1:], 1):
    for kind, serve in ((socket.SOCK_DGRAM, udp), (socket.SOCK_STREAM, tcp)):
        s = socket.socket(socket.AF_INET, kind)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((address, 53))
        if kind == socket.SOCK_STREAM:
            s.listen()
        servers.register(s, selectors.EVENT_READ, (serve, number))
while True:
    for key, _ in servers.select():
        key.data[0](key.fileobj, key.data[1])
