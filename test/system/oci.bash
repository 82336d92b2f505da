# Bundles for the tests of `tare oci`. A bats file loads it behind lib; each test may call the container c.
#
#     load lib
#     load oci
#     setup_file() { oci_folder; }         # $OCI, with a bundle in $OCI/b whose root has busybox and all its names
#     teardown_file() { rm -rf "$OCI"; }
#     setup() { oci_group; }               # $GROUP: of this test
#     teardown() { oci_nothing_left; }

oci_folder() {
    OCI=$(mktemp -d /tmp/to.XXXXXX)
    export OCI
    oci_rootfs "$OCI/b/rootfs"
}

oci_rootfs() { # DIR
    local name
    mkdir -p "$1/bin" "$1"/{proc,dev,sys,tmp,etc}
    cp "$(command -v busybox)" "$1/bin/busybox"
    for name in $(busybox --list); do ln -s busybox "$1/bin/$name" 2>/dev/null || true; done
}

oci_group() { GROUP=/tare-test-oci-$$-${BATS_TEST_FILENAME##*/}-$BATS_TEST_NUMBER; }

oci_nothing_left() {
    oci delete --force c || true
    [ -z "$(find /sys/fs/cgroup -maxdepth 3 -type d -path "*$GROUP*" 2>/dev/null)" ]
    [ ! -e "$OCI/run/c" ]
}

oci() { "$TARE" oci --root "$OCI/run" --log "$OCI/log" --log-format json "$@"; }

# bundle CHANGE COMMAND…: $OCI/b/config.json is that of `spec`, without a terminal, with a namespace for control groups instead of their mount; CHANGE is Python that changes the
# document `c`. hook(NAME, FILE, STATUS) makes a hook of $OCI/hook (oci_hooks.bats).
bundle() {
    local change=$1
    shift
    rm -f "$OCI/b/config.json"
    oci spec -b "$OCI/b"
    python3 - "$OCI/b/config.json" "$GROUP" "$OCI" "$change" "$@" <<'PY'
import json, sys
path, group, oci, change, *args = sys.argv[1:]
c = json.load(open(path))
c["process"]["args"] = args
c["process"]["terminal"] = False
if not any(n["type"] == "cgroup" for n in c["linux"]["namespaces"]): c["linux"]["namespaces"].append({"type": "cgroup"})
c["mounts"] = [m for m in c["mounts"] if m["type"] != "cgroup"]
c["root"]["readonly"] = False
c["linux"]["cgroupsPath"] = group
c["annotations"] = {"k": "v"}
def hook(name, file=oci + "/seen", status="0", program=oci + "/hook"):
    return {"path": program, "args": ["hook", name, file, status], "env": ["A=b c"], "timeout": 20}
exec(change)
json.dump(c, open(path, "w"))
PY
}

status() { oci state c | jq -r .status; }
is_now() { [ "$(status)" = "$1" ]; }
eventually() { until_true 10 "$@"; }
