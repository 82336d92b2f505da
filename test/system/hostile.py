"""Hostile command lines, one after the other: each must end with one sentence, the right status, and nothing left behind.

hostile.py COMMAND…: the engine with its roots, as it is called. Prints a line for each row that is not so, and at last how many rows there were.
"""
import re
import subprocess
import sys

TARE = sys.argv[1:]
ESC = "\x1b[31m\x1b]0;title\x07"
LONG = "x" * 5000
# Texts that are nobody's name.
NAMES = ["-x", ".", "..", "../x", "a/b", "a b", "", "x\ny", ESC, "x\ty", "é", "a" * 300, LONG, "_x", "%s%n", "x;y", "$(id)", "x\x7f", "x\x9b31m"]
IMAGES = ["", " ", "UPPER", "a//b", "a:", ":tag", "a:b:c", "a@sha256:", "a@sha256:" + "0" * 63, "a@sha256:" + "G" * 64, "a@md5:" + "0" * 32,
          "../../etc/passwd", "/abs", "a" * 300, "x:" + "t" * 129, "localhost:0x1/x", "http://h/x", "x\ny", "x" + ESC, "-q/x",
          "sha256:" + "0" * 64, "a@sha256:../../../../etc/passwd", "a/./b", "h:5000/", "x@", "a..b", "x\x9bm"]
NUMBERS = ["1e400", "-1e400", "nan", "inf", "-5", "99999999999999999999999", "0x10", "1,5", "", " ", "1 2", "1\n2", "five", ESC, "9" * 400, "+", "1k1"]
USERS = ["4294967295", "4294967296", "-1", "99999999999999999999", "nosuch", "root:nosuch", "0:-1", "0:4294967295", "a:b:c", "x\ny", ESC, " ", "0x0", "1e3", "+0"]
MOUNTS = ["type=bind", "type=nosuch,dst=/x", "dst=/x,dst", "type=bind,src=/nosuch-at-all,dst=/x", "type=tmpfs,dst=rel", "type=tmpfs,dst=/x,tmpfs-size=1e400",
          "type=tmpfs,dst=/x,tmpfs-mode=9", "type=volume,src=../x,dst=/x", "type=volume,src=a/b,dst=/x", "type=bind,src=/tmp,dst=/x,bind-propagation=up", "",
          ",", "=", "type", "type=volume,dst=/", "type=bind,src=/tmp,dst=/x,nosuch=1", ESC, "type=image,src=UPPER,dst=/x",
          '"type=bind', "type=bind,src=/tmp,dst=" + LONG]
VOLUMES = ["", ":", "::", "/a:/b:/c:/d", "/tmp:rel", "/tmp:/x:nosuch", "/tmp:/x:ro,rw", "/nosuch\n:/x:rx", "..:/x:zz", "a/b:/x", ESC + ":/x", "/tmp:/", "/tmp:/x:shared,slave", "-:/x"]
PORTS = ["x", "0:0:0:0:0", "70000", "1-", "5-1", "1-2:1-3", "80/nosuch", "256.1.1.1:1:1", "[::1:1:1", "-1", "1:-1", "1e3", "1\n2", ESC, ":", "::", "80:80/tcp/udp"]

# Flag of run and create, and what it is given.
FLAGS = {
    "--name": [n for n in NAMES if n not in ("", "_x")] + ["-"],
    "--user": USERS,
    "--group-add": ["nosuch", "-1", "4294967295", "x\ny", ESC],
    "--memory": NUMBERS + ["1b1", "1zb", "5"],
    "--memory-swap": ["1e400", "-2", "five", ESC, "9" * 400],
    "--memory-reservation": ["1e400", "-5", "five"],
    "--shm-size": ["1e400", "-5", "five", "9" * 400, ESC],
    "--cpus": ["1e400", "-1", "nan", "inf", "five", "1,5", "1\n", "99999999999", "1e-400x", ESC],
    "--cpu-shares": ["1e4", "five", "99999999999999999999", ESC],
    "--cpu-period": ["1", "five", "99999999999999999999"],
    "--cpu-quota": ["1", "five", "99999999999999999999"],
    "--cpuset-cpus": ["x", "1-", "99999999999", "5-1", "0,,1", ESC, "-1"],
    "--pids-limit": ["five", "1e4", "99999999999999999999", ESC],
    "--blkio-weight": ["5", "1001", "-1", "five", "65546"],
    "--oom-score-adj": ["-1001", "1001", "five", "4294967296"],
    "--stop-signal": ["NOSUCH", "SIG", "99", "-1", "SIGKILL\n", ESC, "1e1", "4294967305"],
    "--stop-timeout": ["five", "1e400", "99999999999999999999"],
    "--ulimit": ["x", "nofile", "nofile=", "nofile=x", "nofile=2:1", "nosuch=1:1", "nofile=99999999999999999999", "nofile=1:2:3", "nofile=-5", ESC],
    "--sysctl": ["x", "kernel.core_pattern=|/x", "net.ipv4.ip_forward", "kernel.shm+x=1", "net.ipv4/../../kernel.core_pattern=x", "../x=1", ESC, "=x"],
    "--mount": MOUNTS,
    "--volume": VOLUMES,
    "--tmpfs": ["rel", "", "/x:size=1e400", "/x:nosuch", "/x:mode=9z", ESC],
    "--publish": PORTS,
    "--expose": ["x", "70000", "5-1", "80/nosuch", ESC],
    "--device": ["/nosuch", "/tmp", "/dev/null:/x:z", "/dev/null:/x:rwm:1", "", ESC],
    "--device-cgroup-rule": ["x", "c 1:3", "c 1:3 z", "z 1:3 r", "c -1:3 r", "c 99999999999:1 r"],
    "--cap-add": ["NOSUCH", "CAP_", "", ESC, "sys admin"],
    "--cap-drop": ["NOSUCH", ESC],
    "--security-opt": ["nosuch", "nosuch=1", "seccomp=/nosuch", "seccomp=/etc/passwd", "apparmor=nosuch-at-all", "no-new-privileges=5", "label=x", ESC, ""],
    "--network": ["nosuch", "container:", "container:nosuch", "../x", "x\ny", ESC, "ns:/etc/passwd", "ns:/nosuch"],
    "--ip": ["1.2.3", "256.1.1.1", "::1", ESC],
    "--mac-address": ["x", "00:00:00:00:00", "00:00:00:00:00:00:00", "gg:00:00:00:00:00", ESC],
    "--add-host": ["x", "x:", "x:nosuch", ":1.1.1.1", "a\nb:1.1.1.1", "x:1.1.1.1.1", ESC + ":1.1.1.1"],
    "--dns": ["x", "1.2.3", "1.1.1.1\nnameserver 2.2.2.2", ESC],
    "--hostname": ["a\nb", "a b", ESC, "x" * 300],
    "--domainname": ["a\nb", ESC],
    "--env-file": ["/nosuch", "/dev/null/x", "/tmp"],
    "--label-file": ["/nosuch", "/tmp"],
    "--cidfile": ["/etc/passwd", "/nosuch/x", "/tmp"],
    "--log-driver": ["nosuch", ESC],
    "--log-opt": ["x", "nosuch=1", "max-size=1e400", "max-file=0", "max-file=x", ESC + "=1"],
    "--restart": ["nosuch", "on-failure:x", "on-failure:-1", "always:1", ESC],
    "--pull": ["nosuch", ESC],
    "--platform": ["x/y/z/w", "linux/", "windows/amd64", "LINUX/\n", ESC],
    "--isolate": ["nosuch", "uts,nosuch", ESC, ","],
    "--userns": ["nosuch", "auto:size=0", "auto:size=-1", "auto:size=99999999999", "keep-id:uid=-1", "auto:x=1", ESC],
    "--ipc": ["nosuch", "container:nosuch", "container:", ESC],
    "--pid": ["nosuch", "container:nosuch", ESC],
    "--uts": ["nosuch", ESC],
    "--cgroupns": ["nosuch", ESC],
    "--cgroup-parent": ["../x", "/../../x", "a\nb", "x/../../y"],
    "--workdir": ["rel", "../..", "\n"],
    "--health-interval": ["x", "-1s", "1e400s", "1", "99999999999h", ESC],
    "--health-retries": ["x", "-1", "1e400"],
    "--gpus": ["x=y=z", "-1", ESC],
    "--secret": ["nosuch", "", "x,type=nosuch", "x,mode=9", "../x", ESC],
    "--rootfs": ["/nosuch-at-all", "/etc/passwd", "\n"],
    "--detach-keys": ["ctrl-", "nosuch", "ctrl-1,x,", ESC],
    "--init": ["maybe"],
    "--rm": ["5x"],
    "--no-such-flag": ["1"],
    "--env": ["=x"],
    "--label": ["=x"],
}


def rows():
    for flag, values in FLAGS.items():
        for value in values:
            yield {125}, ["run", "--rm", "--network", "none", f"{flag}={value}", "busybox", "true"]
    for name in IMAGES:
        yield {125}, ["run", "--rm", "--pull", "never", "--network", "none", name, "true"]
        yield {1, 125}, ["create", "--pull", "never", name, "true"]
        yield {1, 125}, ["pull", "-q", name]
        yield {1, 125}, ["tag", "busybox", name]
        yield {1, 125}, ["rmi", name]
    for name in NAMES:
        for command in (["exec", name, "true"], ["rm", name], ["start", name], ["inspect", name], ["logs", name], ["kill", name], ["wait", name],
                        ["network", "create", name], ["volume", "rm", name], ["rename", "nosuch", name], ["cp", f"{name}:/x", "/tmp/never"]):
            if command[0] == "cp" and (not name or name[0] in ".-" or "/" in name):
                continue  # a path of the host, or a flag
            yield {1, 125}, command
    for value in NUMBERS:
        yield {1, 125}, ["kill", "-s", value or "x", "nosuch"]
        yield {1, 125}, ["stop", "-t", value or "x", "nosuch"]
        yield {1, 125}, ["update", "--memory", value or "x", "nosuch"]
        yield {1, 125}, ["network", "create", "--subnet", value or "x", "never"]
        yield {1, 125}, ["logs", "--tail", value or "x", "nosuch"]
    for text in ("{{", "{{.Nosuch", "{{nosuch}}", "{{.ID}", "{{json}}", "{{range}}", "{{printf \"%999999999d\" 1}}", "{{" * 3000):
        yield {1, 125}, ["images", "--format", text]
        yield {1, 125}, ["inspect", "--format", text, "busybox"]
    for flag in ("name", "nosuch=1", "=", "status=nosuch", ESC + "=1"):
        yield {1, 125}, ["ps", "--filter", flag]
        yield {1, 125}, ["images", "--filter", flag]
    for text in ("x", "1e400", "2024-13-45", ESC):
        yield {1, 125}, ["events", "--until", "1", "--since", text]
    yield {1, 125}, ["nosuch"]
    yield {1, 125}, [ESC]
    yield {1, 125}, ["run"]
    yield {1, 125}, ["exec", "x"]
    yield {1, 125}, ["load", "-i", "/nosuch"]
    yield {1, 125}, ["load", "-i", "/etc/passwd"]
    yield {1, 125}, ["load", "-i", "/tmp"]
    yield {1, 125}, ["load", "-i", "/dev/null"]
    yield {1, 125}, ["import", "/etc/passwd"]
    yield {1, 125}, ["import", "/dev/null", "UPPER"]
    yield {1, 125}, ["import", "--change", "NOSUCH x", "/dev/null", "x"]
    yield {1, 125}, ["import", "--change", "ENV " + ESC, "/etc/passwd", "x"]


def faults(allowed, args, done):
    out, err = done.stdout, done.stderr
    lines = [line for line in err.decode("utf-8", "replace").split("\n") if line]
    if done.returncode not in allowed:
        yield f"status {done.returncode}"
    if not lines:
        yield "says nothing"
    said = [line for line in lines if not re.match(r"Run 'tare|Usage: |See 'tare|hint: ", line)]
    if len(said) > 2 or any(len(line) > 12000 for line in said):
        yield f"{len(said)} lines"
    if re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", err + out):
        yield "control characters"
    if re.search("[\x80-\x9f]", (err + out).decode("utf-8", "replace")):
        yield "C1 control characters"
    if re.search(rb"Sanitizer|runtime error|Assertion|%!", err):
        yield "a fault of the program"


def main():
    number = 0
    for allowed, args in rows():
        number += 1
        try:
            done = subprocess.run(TARE + args, stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False)
        except subprocess.TimeoutExpired:
            print(f"{args!r}: does not end")
            continue
        wrong = list(faults(allowed, args, done))
        if wrong:
            print(f"{str(args)[:200]}: {', '.join(wrong)}: {done.stderr[:300]!r} {done.stdout[:100]!r}")
    print(f"{number} rows")


main()
