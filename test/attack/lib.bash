# Helpers of the attack tests: hostile code in a container (`probe`, see probe.c), and canaries on the host that it must not reach.
load ../system/lib

PROBE=${PROBE:-$(readlink -f "${TARE_SOURCE:-$BATS_TEST_DIRNAME/../..}/build/test/attack/probe")}

attack_file() {
    roots_make
    CANARY=$ROOTS/canary
    mkdir "$CANARY"
    echo secret >"$CANARY/file"
    mkdir "$CANARY/dir"
    chmod 640 "$CANARY/file"
    export CANARY PROBE
    cp "$PROBE" "$ROOTS/probe"
    tare run --rm busybox true # what stays until the roots go is there: the bridge, the monitors' group
}

# Everything that an attack on the host would change.
host_state() {
    find "$CANARY" -printf '%p %y %m %U %G %s %T@ %n\n' | sort
    sha256sum "$CANARY/file" "$TARE" "$(dirname "$TARE")/tare-monitor"
    cat /proc/sys/kernel/core_pattern /proc/sys/kernel/domainname
    stat -c '%n %F %a %u:%g %t:%T' /dev/null /dev/console /dev/ptmx /tmp /etc
    cut -d' ' -f5 /proc/self/mountinfo | grep -F "$ROOTS" || true
}

host_before() {
    leaks_before
    host_state >"$BATS_TEST_TMPDIR/host"
}

host_after() {
    tare rm -f c victim >/dev/null 2>&1 || true
    [ ! -d "$ROOTS/oci" ] || oci delete --force c >/dev/null 2>&1 || true
    leaks_after
    host_state | diff "$BATS_TEST_TMPDIR/host" -
}

# Runs the probe in a container: attempt [OPTION…] -- ATTEMPT [ARGUMENT…]
attempt() {
    local options=()
    while [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    shift
    ok tare run --rm -v "$ROOTS/probe:/probe:ro" "${options[@]}" busybox /probe "$@"
}

# An image made from busybox and a script that changes its root: hostile_image NAME 'commands, in the root'. Two layers' worth of tricks
# that no honest tool would make. The commands run with the root as their root: the image's own links lead to programs of the host's.
hostile_image() {
    local root=$ROOTS/image-$1
    mkdir -p "$root"
    tar -C "$root" -xf "$FIXTURES/busybox.tar"
    chroot "$root" /bin/busybox sh -ec "$2" || return 1
    tar -C "$root" -cf "$ROOTS/$1.tar" .
    rm -rf "$root"
    ok tare import "$ROOTS/$1.tar" "$1"
}

# --- the other front door: tare oci ---------------------------------------------------------------------------------------------------

oci() { "$TARE" oci --root "$ROOTS/oci" --log "$ROOTS/oci.log" "$@"; }

# oci_bundle CHANGE COMMAND…: a bundle in $ROOTS/b, with a root of its own; CHANGE is Python that changes the configuration `c`.
oci_bundle() {
    local change=$1 name
    shift
    rm -rf "$ROOTS/b"
    mkdir -p "$ROOTS/b/rootfs"/{bin,etc,tmp}
    cp "$(command -v busybox)" "$ROOTS/b/rootfs/bin/busybox"
    for name in sh ls stat cat sleep id mkdir ln seq true; do ln -s busybox "$ROOTS/b/rootfs/bin/$name"; done
    cp "$PROBE" "$ROOTS/b/rootfs/probe"
    oci spec -b "$ROOTS/b"
    python3 - "$ROOTS/b/config.json" "/tare-attack-$$-$BATS_TEST_NUMBER" "$change" "$@" <<'PY'
import json, sys
path, group, change, *args = sys.argv[1:]
c = json.load(open(path))
c["process"]["args"], c["process"]["terminal"] = args, False
if not any(n["type"] == "cgroup" for n in c["linux"]["namespaces"]): c["linux"]["namespaces"].append({"type": "cgroup"})
c["mounts"] = [m for m in c["mounts"] if m["type"] != "cgroup"]
c["root"]["readonly"] = False
c["linux"]["cgroupsPath"] = group
exec(change)
json.dump(c, open(path, "w"))
PY
}
