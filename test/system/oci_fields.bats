#!/usr/bin/env bats
# Every field of config.json works, or is refused by its name: the table is oci_fields.py.

load lib
load oci

setup_file() {
    BUNDLE=$(mktemp -d /tmp/tof.XXXXXX)
    export BUNDLE
    oci_rootfs "$BUNDLE/rootfs"
}
teardown_file() { rm -rf "$BUNDLE"; }

fields() {
    run python3 "$here/oci_fields.py" "$TARE" "$BUNDLE" "$@"
    echo "$output"
    [ "$status" -eq 0 ]
    [ -z "$(find /sys/fs/cgroup -maxdepth 2 -type d -name 'tare-fields-*' 2>/dev/null)" ]
}

@test "process" { fields process; }
@test "hostname, domainname, annotations, sysctl" { fields names; }
@test "namespaces, mappings, time offsets" { fields namespaces; }
@test "root, mounts and their options, devices, masks" { fields files; }
@test "every option of a mount, on the mount and on what is below it" { fields options; }
@test "seccomp, personality, memory policy" { fields kernel; }
@test "resources" { fields resources; }
@test "sentences of the specification beyond its schema" { fields rules; }

@test "each document that breaks one constraint of the schema is refused by the field's path; large and deep ones do no harm" {
    run python3 "$here/oci_schema.py" "$TARE" "$here/oci-schema"
    echo "$output"
    [ "$status" -eq 0 ]
}

@test "features: of the schema's form, and each name it lists works" {
    run python3 "$here/oci_features.py" "$TARE" "$BUNDLE" "$here/oci-schema"
    echo "$output"
    [ "$status" -eq 0 ]
}

@test "every verb in every state: it does it, or the words of its refusal are those that callers know; nothing is left" {
    run timeout 300 python3 "$here/oci_states.py" "$TARE" "$BUNDLE" "$here/oci-schema"
    echo "$output"
    [ "$status" -eq 0 ]
}
