#!/usr/bin/env python3
"""Frames that their sender has no right to, from an interface of the network namespace that it runs in.

    spoof.py send INTERFACE     for each line of the input, MARK KIND key=value…, a frame of that kind, three times
    spoof.py hear INTERFACE     prints the marks of frames that arrive (their last eight bytes) until that of the mark `end`

Keys: mac, to_mac, ip, to (addresses; either family), sender (a MAC), target.
"""
import ipaddress
import socket
import struct
import sys
import time

ETH_P_ALL = 3


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4(key, payload, protocol=17):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 7, 0, 64, protocol, 0, key["ip"].packed, key["to"].packed)
    return struct.pack("!H", 0x0800) + head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def ipv6(key, payload, protocol, hops=255):
    head = struct.pack("!IHBB", 6 << 28, len(payload), protocol, hops) + key["ip"].packed + key["to"].packed
    return struct.pack("!H", 0x86DD) + head + payload


def icmp6(key, kind, body):
    pseudo = key["ip"].packed + key["to"].packed + struct.pack("!II", 4 + len(body), 58)
    message = struct.pack("!BBH", kind, 0, 0) + body
    return ipv6(key, message[:2] + struct.pack("!H", checksum(pseudo + message)) + message[4:], 58)


def frame(kind, key):
    mark = key["mark"].encode().ljust(8)
    if kind == "udp":
        datagram = struct.pack("!HHHH", 9, 9, 16, 0) + mark
        return ipv4(key, datagram) if key["ip"].version == 4 else ipv6(key, datagram, 17)
    if kind == "arp":  # "sender" says what the message claims, whatever the frame says
        return struct.pack("!HHHBBH", 0x0806, 1, 0x0800, 6, 4, 2) + mac(key["sender"]) + key["ip"].packed + \
            mac(key["to_mac"]) + key["to"].packed + mark
    if kind == "advert":  # neighbour advertisement: solicited and override
        return icmp6(key, 136, struct.pack("!I", 0x60000000) + key["target"].packed + b"\x02\x01" + mac(key["sender"]) + mark)
    if kind == "router":
        return icmp6(key, 134, struct.pack("!BBHII", 64, 0, 1800, 0, 0) + mark)
    if kind == "redirect":
        return icmp6(key, 137, bytes(4) + key["target"].packed + key["to"].packed + mark)
    if kind == "other":  # an ethertype of local experiments
        return struct.pack("!H", 0x88B5) + mark
    raise SystemExit(f"no such kind: {kind}")


def send(interface):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    s.bind((interface, 0))
    for line in sys.stdin:
        mark, kind, *pairs = line.split()
        key = dict(pair.split("=", 1) for pair in pairs)
        key["mark"] = f"mark-{mark}"
        for name in ("ip", "to", "target"):
            if name in key:
                key[name] = ipaddress.ip_address(key[name])
        data = mac(key["to_mac"]) + mac(key["mac"]) + frame(kind, key)
        for _ in range(3):
            s.send(data)


def hear(interface):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    s.bind((interface, ETH_P_ALL))
    print("listening", flush=True)
    end = time.monotonic() + 120
    while (left := end - time.monotonic()) > 0:
        s.settimeout(left)
        try:
            data, address = s.recvfrom(2048)
        except TimeoutError:
            break
        tail = data[-8:]
        if address[2] != socket.PACKET_OUTGOING and tail.startswith(b"mark-"):
            print(tail.decode().strip(), flush=True)
            if tail.startswith(b"mark-end"):
                break


if __name__ == "__main__":
    if sys.argv[1] == "send":
        send(sys.argv[2])
    else:
        hear(sys.argv[2])
