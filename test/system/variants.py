#!/usr/bin/env python3
"""variants.py OCI_LAYOUT OUT PLATFORM…: an OCI layout with one index "all" in which the image of OCI_LAYOUT is there for each
platform ("arm/v7")."""
import hashlib
import json
import os
import shutil
import sys

source, out, platforms = sys.argv[1], sys.argv[2], sys.argv[3:]
shutil.copytree(source, out, dirs_exist_ok=True)


def read(digest):
    with open(f"{out}/blobs/sha256/{digest[7:]}") as f:
        return json.load(f)


def blob(document, kind):
    data = json.dumps(document).encode()
    name = hashlib.sha256(data).hexdigest()
    with open(f"{out}/blobs/sha256/{name}", "wb") as f:
        f.write(data)
    return {"mediaType": kind, "digest": "sha256:" + name, "size": len(data)}


with open(f"{out}/index.json") as f:
    manifest = read(json.load(f)["manifests"][0]["digest"])
entries = []
for text in platforms:
    architecture, _, variant = text.partition("/")
    where = {"os": "linux", "architecture": architecture, **({"variant": variant} if variant else {})}
    config = {**read(manifest["config"]["digest"]), **where}
    mine = {**manifest, "config": blob(config, manifest["config"]["mediaType"])}
    entries.append({**blob(mine, "application/vnd.oci.image.manifest.v1+json"), "platform": where})
index = blob({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": entries},
             "application/vnd.oci.image.index.v1+json")
with open(f"{out}/index.json", "w") as f:
    json.dump({"schemaVersion": 2, "manifests": [{**index, "annotations": {"org.opencontainers.image.ref.name": "all"}}]}, f)
