#!/usr/bin/env bats
# `make install` below a DESTDIR, what was installed at work from there, and `make uninstall`.

load lib

setup_file() {
    roots_make --empty
    SOURCE=${TARE_SOURCE:-$(readlink -f "$BATS_TEST_DIRNAME/../..")}
    # The prefix that the build folder has, so that the test changes nothing there.
    PREFIX=$(meson introspect --buildoptions "$SOURCE/build" | jq -r '.[] | select(.name == "prefix") | .value')
    export SOURCE PREFIX DESTDIR=$ROOTS/dest
}

teardown_file() {
    roots_remove
}

setup() {
    leaks_before
}

teardown() {
    leaks_after
}

make_there() {
    make --no-print-directory -C "$SOURCE" "$1" BUILD=build PREFIX="$PREFIX" DESTDIR="$DESTDIR"
}

@test "make install puts programs, pages and completion below DESTDIR and PREFIX" {
    local top=$DESTDIR$PREFIX path
    ok make_there install
    (cd "$top" && find . ! -type d ! -path './share/man/*' | sort) >"$BATS_TEST_TMPDIR/installed"
    printf './%s\n' bin/containerd-shim-tare-v2 bin/tare bin/tare-oci libexec/tare/tare-{cni,fetch,monitor,net,unpack} \
        share/bash-completion/completions/tare share/fish/vendor_completions.d/tare.fish share/zsh/site-functions/_tare |
        sort | diff - "$BATS_TEST_TMPDIR/installed"
    while read -r path; do
        [ -s "$top/share/man/man1/tare-$path.1" ]
    done < <(sed 's/COMMAND(\(.*\))/\1/; s/_/-/g; /^complete$/d' "$SOURCE/src/cli/commands.list")
    [ -s "$top/share/man/man1/tare.1" ]
}

@test "what is installed works from where it lies: unpack, monitor, helper, fetch, tare-oci" {
    local TARE=$DESTDIR$PREFIX/bin/tare libexec
    libexec=$(readlink -f "$DESTDIR$PREFIX/libexec/tare")
    ok tare load -q -i "$FIXTURES/busybox.docker.tar"
    ok tare run --rm --network none busybox echo it works # by the monitor of there: no other lies beside this tare
    is "it works"
    ok tare network create n
    ok tare run -d --name c --network n busybox sleep 60
    ok tare rm -f c
    ok tare network rm n
    fails 1 tare pull 127.0.0.1:1/nobody/there
    has "127.0.0.1"
    has_not "installation is incomplete"
    ok "$DESTDIR$PREFIX/bin/tare-oci" --version
    has "tare-oci version"
    rm "$libexec/tare-monitor"
    fails 125 tare run --rm --network none busybox true
    has "installation is incomplete"
}

@test "make uninstall leaves no file" {
    ok make_there uninstall
    [ -z "$(find "$DESTDIR" ! -type d)" ]
    [ ! -e "$DESTDIR$PREFIX/libexec" ]
    ok make_there uninstall # there is nothing, and that is no error
    is ""
}
