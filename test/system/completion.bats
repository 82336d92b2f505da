#!/usr/bin/env bats
# Completion in the shells, and manual pages: both come from the option tables.

load lib

setup_file() {
    roots_make
    tare create --name web --network none busybox true >/dev/null
    tare create --name webster --network none busybox true >/dev/null
    tare volume create data-volume >/dev/null
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

# What bash makes of the line at its end, as if TAB had been pressed: one candidate a line.
bash_tab() { # LINE
    PATH=$(dirname "$TARE"):$PATH bash --norc -c '
        source <("$1" completion bash)
        COMP_LINE=$2 COMP_POINT=${#2}
        _tare
        printf "%s\n" "${COMPREPLY[@]}" | sort' - "$TARE" "$1"
}

with_roots() {
    printf 'tare --root %s --run-root %s %s' "$ROOT" "$RUN" "$1"
}

@test "bash completes commands, options and their values" {
    run bash_tab "tare comm"
    is commit
    run bash_tab "tare system pr"
    is prune
    run bash_tab "tare run --read-o"
    is --read-only
    run bash_tab "tare run --pull m"
    is missing
    run bash_tab "tare run --pull=m" # bash cuts at "=": the answer is the part behind it
    is missing
    run bash_tab "tare run -it --restart un"
    is unless-stopped
    run bash_tab "tare container l"
    has logs
    has ls
    run bash_tab "tare help vol"
    is volume
    run bash_tab "tare ps --nonsense-"
    is ""
}

@test "bash completes the names of containers, images, networks and volumes" {
    run bash_tab "$(with_roots "rm web")"
    is $'web\nwebster'
    run bash_tab "$(with_roots "stop web")" # none of them runs
    is ""
    run bash_tab "$(with_roots "rmi busy")"
    is busybox:latest
    run bash_tab "$(with_roots "rmi busybox:l")" # bash cuts at ":"
    is latest
    run bash_tab "$(with_roots "run --network=no")"
    is none
    run bash_tab "$(with_roots "volume rm data")"
    is data-volume
    run bash_tab "$(with_roots "cp webs")"
    is webster:
    run bash_tab "$(with_roots "inspect data")"
    is data-volume
}

@test "files are completed where a file is meant, and the program's own words" {
    mkdir "$BATS_TEST_TMPDIR/d"
    touch "$BATS_TEST_TMPDIR/d/archive.tar"
    run bash_tab "tare load -i $BATS_TEST_TMPDIR/d/ar"
    is "$BATS_TEST_TMPDIR/d/archive.tar"
    run bash_tab "tare run busybox ls $BATS_TEST_TMPDIR/d/ar"
    is "$BATS_TEST_TMPDIR/d/archive.tar"
    run bash_tab "tare run busybox ls --pul" # not an option of tare's any more
    is ""
}

@test "every command and option shown by --help is offered" {
    local name options help
    for name in ps run "network create" "system df"; do
        # shellcheck disable=SC2086
        help=$(tare $name --help | grep -oE '^  (-., |    )--[a-z0-9-]+' | grep -oE -- '--.*' | sort)
        # shellcheck disable=SC2086
        options=$(tare __complete $name -- 2>/dev/null | cut -f1 | grep -e '^--' | grep -vx -e --help | sort)
        [ -n "$help" ] && [ "$help" = "$options" ] || {
            diff <(echo "$help") <(echo "$options")
            false
        }
    done
}

@test "zsh completes" {
    command -v zsh >/dev/null || skip "no zsh"
    tare completion zsh >"$BATS_TEST_TMPDIR/_tare"
    zsh -n "$BATS_TEST_TMPDIR/_tare"
    # compdef and the two helpers stand in for the line editor: what the function hands to them is what zsh would show.
    run zsh -f -c 'compdef() { : }; _files() { print files }
        _describe() { print -rl -- "${(@P)3}" }
        source "$1"; words=("$2" "${(@)argv[3,-1]}"); CURRENT=${#words}; _tare' \
        - "$BATS_TEST_TMPDIR/_tare" "$TARE" --root "$ROOT" --run-root "$RUN" rmi bus
    [ "$status" = 0 ]
    has 'busybox\:latest:'
}

@test "fish completes" {
    command -v fish >/dev/null || skip "no fish"
    tare completion fish >"$BATS_TEST_TMPDIR/tare.fish"
    fish --no-execute "$BATS_TEST_TMPDIR/tare.fish"
    HOME=$BATS_TEST_TMPDIR PATH=$(dirname "$TARE"):$PATH run fish --no-config -c \
        "source $BATS_TEST_TMPDIR/tare.fish; complete -C '$(with_roots "rm webs")'"
    [ "$status" = 0 ]
    has webster
}

@test "a shell that has none is said" {
    fails 1 tare completion tcsh
    has "bash, fish and zsh have one"
}

@test "every manual page is clean for mandoc and groff" {
    command -v mandoc >/dev/null && command -v groff >/dev/null || skip "no mandoc or groff"
    local name dir=$BATS_TEST_TMPDIR
    tare man >"$dir/tare.1"
    sed -n 's/COMMAND(\(.*\))/\1/p' "$here/../../src/cli/commands.list" | grep -vx complete >"$dir/names"
    printf '%s\n' container image network secret system volume >>"$dir/names"
    while read -r name; do
        tare man "$name" >"$dir/tare-$name.1"
    done <"$dir/names"
    run mandoc -T lint -W warning "$dir"/*.1
    is ""
    for name in "$dir"/*.1; do
        run groff -man -ww -Tutf8 -z "$name"
        is ""
    done
    # What it says is what --help says.
    mandoc -T ascii "$dir/tare-run.1" | col -b >"$dir/text"
    grep -q -- "--oom-score-adj=int" "$dir/text"
    [ "$(grep -c '' "$dir/names")" -gt 50 ]
    # Each page that a page points to is there.
    grep -ho 'See \\fBtare.*\\fR' "$dir"/*.1 | sed 's/See \\fB//; s/\\fR//; s/\\-/-/g' | sort -u | while read -r name; do
        tare man "${name#tare-}" >/dev/null || { echo "no page $name"; exit 1; }
    done
    fails 1 tare man nonsense
}
