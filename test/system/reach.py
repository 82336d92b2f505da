#!/usr/bin/env python3
"""Who reaches what. `reach.py serve PORT`: answers TCP and UDP with the address of who asks. `reach.py ask`: reads lines
"tcp|udp ADDRESS PORT [EXPECTED]", asks them all at once, and prints for each what was answered, or "-". An answer that is expected is waited for
long, one that must not come (EXPECTED is "-") a second. """
import socket, sys, threading


def plain(peer):
    return peer[0].removeprefix("::ffff:").split("%")[0]

def serve(port):
    tcp = socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=100)
    udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    udp.bind(("::", port))

    def datagrams():
        while True:
            _, peer = udp.recvfrom(100)
            udp.sendto(plain(peer).encode(), peer)

    threading.Thread(target=datagrams, daemon=True).start()
    while True:
        conn, peer = tcp.accept()
        conn.sendall(plain(peer).encode())
        conn.close()

def ask(proto, address, port, expected=""):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    s = socket.socket(family, socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM)
    s.settimeout(1.2 if expected == "-" else 30)
    try:
        s.connect((address, int(port)))
        if proto == "udp":
            s.send(b"?")
        return s.recv(100).decode() or "-"
    except OSError:
        return "-"

if sys.argv[1] == "serve":
    serve(int(sys.argv[2]))
lines = [line.split() for line in sys.stdin if line.strip()]
answers = ["-"] * len(lines)

def one(i):
    answers[i] = ask(*lines[i])

threads = [threading.Thread(target=one, args=(i,)) for i in range(len(lines))]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("\n".join(answers))
