"""Crafted archives: names x kinds x orders, through everything that unpacks one.

archives.py CANARY PLACE COMMAND…: the engine with its roots, and a container `c` of it. CANARY is a directory that nothing may change or
bring anything out of. Prints a line for each archive that ended otherwise than by success or one sentence, and how many there were.
"""
import io
import os
import re
import subprocess
import sys
import tarfile

CANARY, PLACE, TARE = sys.argv[1], sys.argv[2], sys.argv[3:]
UP = "../" * 12
NAMES = [UP + CANARY + "/new", CANARY + "/file", UP + CANARY, "../escaped", "a/../../escaped", "l/new", "l/file", "l/dir", "l/../escaped", "l", "./l//new", "..",
         "a/..", ".", "a/", "\x01\n", ".wh.l", "l/.wh.file", "l/.wh..wh..opq", ".wh..", ".wh...", "x" * 300, "a/" * 60 + "l"]
KINDS = [tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.CONTTYPE, b"S", b"x", b"Z"]


def entry(tar, name, kind, target="", data=b""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size, info.mode, info.mtime = kind, target, len(data), 0o777, 1600000000
    info.devmajor, info.devminor = (1, 1) if kind == tarfile.CHRTYPE else (8, 0)
    try:
        tar.addfile(info, io.BytesIO(data))
    except ValueError:  # a kind of which this module cannot write such a name
        pass


def archives():
    """(what, bytes)"""
    for name in NAMES:
        for kind in KINDS:
            for order in ("alone", "behind a link", "before a link", "twice"):
                out = io.BytesIO()
                with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
                    if order == "behind a link":
                        entry(tar, "l", tarfile.SYMTYPE, CANARY)
                        entry(tar, "a", tarfile.SYMTYPE, "/")
                    if order == "twice":
                        entry(tar, name, tarfile.SYMTYPE, CANARY + "/dir")
                    data = b"overwritten" if kind in (tarfile.REGTYPE, tarfile.CONTTYPE) else b""
                    entry(tar, name, kind, CANARY + "/file" if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else "", data)
                    if kind == tarfile.LNKTYPE:  # and written through
                        entry(tar, name, tarfile.REGTYPE, data=b"overwritten")
                    if order == "before a link":
                        entry(tar, "l", tarfile.SYMTYPE, UP + CANARY)
                        entry(tar, name, tarfile.REGTYPE, data=b"overwritten")
                        entry(tar, "l/dir", tarfile.DIRTYPE)
                yield f"{name[:60]!r} {kind!r} {order}", out.getvalue()


def fault(what, done):
    said = [line for line in done.stderr.decode("utf-8", "replace").split("\n") if line]
    if done.returncode not in (0, 1) or (done.returncode == 1 and len(said) != 1):
        return f"{what}: status {done.returncode}: {done.stderr[:300]}"
    if re.search(rb"ended early|signal|secret", done.stderr + done.stdout):
        return f"{what}: {done.stderr[:300]}"
    return None


def main():
    number = 0
    every = int(os.environ.get("ARCHIVES_EVERY", "1"))  # of the archives, one in so many
    for number, (what, data) in enumerate(archives()):
        if number % every:
            continue
        for way in (["import", "-q", "-", "crafted"], ["cp", "-", "c:/in"]):
            way = [word for word in way if word != "-q"]
            done = subprocess.run(TARE + way, input=data, capture_output=True, check=False)
            wrong = fault(f"{way[0]} {what}", done)
            if wrong:
                print(wrong)
    print(f"{number + 1} archives")


main()
