#!/usr/bin/python3
"""Makes the images of the tests: images.py ROOTFS OUT

OUT/busybox.tar         the root file system as a plain tar (for import)
OUT/busybox.oci         an image layout, OUT/busybox.oci.tar the same as an archive; tag busybox:latest
OUT/busybox.docker.tar  as `docker save` writes it
OUT/multi.oci(.tar), OUT/multi.docker.tar
                        four layers on top of it: a whiteout, an opaque directory, hard links (also into a lower layer), file modes,
                        long names, a sparse file, an xattr; with Env, WorkingDir, User, Cmd, Labels, a volume and a port
The same input gives the same digests.
"""
import gzip
import hashlib
import io
import json
import os
import sys
import tarfile

EPOCH = 1700000000


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def layer(fill):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        fill(tar)
    return out.getvalue()


def add(tar, name, data=b"", kind=tarfile.REGTYPE, mode=0o644, link="", uid=0, gid=0, pax=None):
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.linkname, info.mtime, info.uid, info.gid = kind, mode, link, EPOCH, uid, gid
    info.pax_headers = pax or {}
    info.size = len(data) if kind == tarfile.REGTYPE else 0
    tar.addfile(info, io.BytesIO(data) if info.size else None)


def rootfs_layer(rootfs):
    def fill(tar):
        for folder, folders, files in os.walk(rootfs):
            folders.sort()
            for name in sorted(folders + files):
                path = os.path.join(folder, name)
                info = tar.gettarinfo(path, os.path.relpath(path, rootfs))
                info.uid = info.gid = 0
                info.uname = info.gname = ""
                info.mtime = EPOCH
                if info.isreg():
                    with open(path, "rb") as file:
                        tar.addfile(info, file)
                else:
                    tar.addfile(info)
    return layer(fill)


def multi_layers():
    def first(tar):
        add(tar, "data", kind=tarfile.DIRTYPE, mode=0o755)
        add(tar, "data/one", b"one\n")
        add(tar, "data/two", b"two\n", mode=0o600, uid=1000, gid=1000)
        add(tar, "data/gone", b"gone\n")
        add(tar, "opaque", kind=tarfile.DIRTYPE, mode=0o755)
        add(tar, "opaque/below", b"below\n")
        add(tar, "hard", b"hard\n")
        add(tar, "hard-link", kind=tarfile.LNKTYPE, link="hard")

    def second(tar):
        add(tar, "data/.wh.gone")
        add(tar, "opaque", kind=tarfile.DIRTYPE, mode=0o755)
        add(tar, "opaque/.wh..wh..opq")
        add(tar, "opaque/above", b"above\n")
        add(tar, "lower-link", kind=tarfile.LNKTYPE, link="data/one")

    def third(tar):
        add(tar, "data/" + "long-name-" * 20, b"long\n")
        add(tar, "sticky", kind=tarfile.DIRTYPE, mode=0o1777)
        add(tar, "setuid", b"#!/bin/sh\n", mode=0o4755)
        add(tar, "xattr", b"x\n", pax={"SCHILY.xattr.user.test": "value"})
        add(tar, "fifo", kind=tarfile.FIFOTYPE, mode=0o644)

    def fourth(tar):
        add(tar, "data/one", b"one, again\n")
        add(tar, "etc/motd", b"four layers\n")

    return [layer(f) for f in (first, second, third, fourth)]


def image(layers, config):
    return {
        "config": json.dumps({
            "created": "2023-11-14T22:13:20Z", "architecture": ARCH, "os": "linux", "config": config,
            "rootfs": {"type": "layers", "diff_ids": [digest(l) for l in layers]},
            "history": [{"created": "2023-11-14T22:13:20Z", "created_by": "images.py"} for _ in layers]},
            separators=(",", ":")).encode(),
        "layers": layers,
    }


def write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


def write_oci(out, img, tag):
    def blob(data):
        write(f"{out}/blobs/sha256/{digest(data)[7:]}", data)
        return {"digest": digest(data), "size": len(data)}

    layers = [gzip.compress(l, 6, mtime=0) for l in img["layers"]]
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **blob(img["config"])},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", **blob(l)} for l in layers]},
        separators=(",", ":")).encode()
    index = {"schemaVersion": 2, "manifests": [{
        "mediaType": "application/vnd.oci.image.manifest.v1+json", **blob(manifest),
        "annotations": {"org.opencontainers.image.ref.name": tag,
                        "io.containerd.image.name": "docker.io/library/" + tag},
        "platform": {"architecture": ARCH, "os": "linux"}}]}
    write(f"{out}/index.json", json.dumps(index).encode())
    write(f"{out}/oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
    with tarfile.open(out + ".tar", "w") as tar:
        for folder, folders, files in os.walk(out):
            folders.sort()
            for name in sorted(folders + files):
                path = os.path.join(folder, name)
                tar.add(path, os.path.relpath(path, out), recursive=False)


def write_docker(out, img, tag):
    config = digest(img["config"])[7:] + ".json"
    names = [digest(l)[7:] + "/layer.tar" for l in img["layers"]]
    manifest = json.dumps([{"Config": config, "RepoTags": [tag], "Layers": names}]).encode()
    with tarfile.open(out, "w") as tar:
        add(tar, config, img["config"])
        for name, data in zip(names, img["layers"]):
            add(tar, name, data)
        add(tar, "manifest.json", manifest)


ARCH = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)


def main():
    rootfs, out = sys.argv[1:3]
    base = rootfs_layer(rootfs)
    write(f"{out}/busybox.tar", base)
    simple = image([base], {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"], "Cmd": ["sh"]})
    multi = image([base] + multi_layers(), {
        "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "GREETING=hello from the image"], "WorkingDir": "/data",
        "User": "user", "Cmd": ["sh", "-c", "echo $GREETING; id -u; pwd"], "Labels": {"made.by": "images.py"},
        "Volumes": {"/volume": {}}, "ExposedPorts": {"8080/tcp": {}}, "StopSignal": "SIGTERM"})
    for name, img in (("busybox", simple), ("multi", multi)):
        write_oci(f"{out}/{name}.oci", img, name + ":latest")
        write_docker(f"{out}/{name}.docker.tar", img, name + ":latest")


main()
