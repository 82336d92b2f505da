"""Images whose metadata nobody honest would write: they are refused in one sentence, or they run as if the field were another's text.

hostile_image.py BUSYBOX.tar DIRECTORY COMMAND…: the engine with its roots. Prints a line for each that is not so, and how many there were.
"""
import os
import pty
import re
import subprocess
import sys

os.environ.setdefault("TARE", sys.argv[3])
from layer_cases import archive  # noqa: E402

ROOTFS = open(sys.argv[1], "rb").read()
PLACE, TARE = sys.argv[2], sys.argv[3:]
ESC = "\x1b[31m\x1b]0;title\x07\x9b31m"
BIG = "x" * (1 << 20)
DEEP = "x"
for _ in range(100):
    DEEP = [DEEP]

CONFIGS = [
    # What is taken, and seen inside.
    ({"Labels": {ESC: ESC, "a\nb": "c\td", "": ""}}, 0),
    ({"Labels": {"tare.network": "host", "org.systemd.property.ExecStart": "x", "io.containerd.log": "binary:///bin/sh", "io.podman.annotations.privileged": "TRUE"}}, 0),
    ({"Env": ["A=x\ny", "B=" + ESC, "C==", "D="]}, 0),
    ({"ExposedPorts": {"80/tcp": {}, "1/udp": {}}}, 0),
    ({"Healthcheck": {"Test": ["NONE"]}}, 0),
    ({"Volumes": {"/v": {}, "/etc/../w": {}}}, 0),
    ({"Shell": [ESC]}, 0),
    ({"StopSignal": "SIGRTMIN+3"}, 0),
    ({"Cmd": ["true", BIG[:100000]]}, 0),
    ({"OnBuild": [ESC]}, 0),
    # What is nobody's.
    ({"Env": ["=x"]}, 125), ({"Env": ["NAME"]}, None), ({"Env": [""]}, 125), ({"Env": ["*"]}, None), ({"Env": [5]}, 125), ({"Env": "A=b"}, 125),
    ({"Env": [BIG] * 40}, 125), ({"Env": {"A": "b"}}, 125),
    ({"WorkingDir": "../.."}, 125), ({"WorkingDir": "rel"}, 125), ({"WorkingDir": "/../../x\n"}, None), ({"WorkingDir": "/" + "d/" * 3000}, 125),
    ({"WorkingDir": "/proc/self/fd/3"}, 125), ({"WorkingDir": "/etc/passwd"}, None), ({"WorkingDir": 5}, 125),
    ({"User": "4294967295"}, 125), ({"User": "4294967296"}, 125), ({"User": "-1"}, 125), ({"User": "nosuch"}, 125), ({"User": "0:nosuch"}, 125),
    ({"User": "a:b:c"}, 125), ({"User": ESC}, 125), ({"User": "root\nroot"}, 125), ({"User": BIG}, 125), ({"User": ["root"]}, 125), ({"User": " root"}, 125),
    ({"Entrypoint": [BIG]}, None), ({"Entrypoint": [""]}, None), ({"Entrypoint": ["\n" + ESC]}, 127), ({"Entrypoint": "true"}, 125), ({"Entrypoint": [["true"]]}, 125),
    ({"Entrypoint": ["true"] * 300000}, None), ({"Entrypoint": ["/etc"]}, 126), ({"Entrypoint": ["../../bin/true"]}, None), ({"Entrypoint": ["/etc/passwd"]}, 126),
    ({"Cmd": []}, 125), ({"Cmd": None}, 125), ({"Cmd": [None]}, 125), ({"Cmd": ["no" + ESC]}, 127),
    ({"Volumes": {"../x": {}}}, 125), ({"Volumes": {"rel": {}}}, 125), ({"Volumes": {"": {}}}, 125), ({"Volumes": {"/proc": {}}}, 125), ({"Volumes": {"/": {}}}, 125),
    ({"Volumes": {"/x" + ESC: {}}}, None), ({"Volumes": {"/a:/b": {}}}, None), ({"Volumes": ["/x"]}, 125),
    ({"ExposedPorts": {"99999/tcp": {}}}, None), ({"ExposedPorts": {"x": {}}}, None), ({"ExposedPorts": {ESC: {}}}, None), ({"ExposedPorts": {"1-65535/tcp": {}}}, None),
    ({"StopSignal": "NOSUCH"}, 0), ({"StopSignal": ESC}, 0), ({"StopSignal": "99"}, 0), ({"StopTimeout": -5}, None), ({"StopTimeout": 1e400}, 125),
    ({"Healthcheck": {"Test": ["CMD"], "Interval": -1}}, 0), ({"Healthcheck": {"Test": ["NOSUCH", "x"]}}, None), ({"Healthcheck": {"Interval": 1 << 70}}, 125),
    ({"Labels": ["x"]}, 125), ({"Labels": {"x": 5}}, 125), ({"Labels": {BIG: BIG, "b" + BIG: BIG, "c": BIG * 6}}, 125), ({"Labels": DEEP}, 125), (DEEP, 125), ("x", 125),
]
COMMANDS = [["images", "-a"], ["images", "--digests", "--no-trunc"], ["history", "--no-trunc", "case"], ["inspect", "case"], ["inspect", "one"],
            ["inspect", "--format", "{{.Config.Labels}} {{.Config.Env}} {{json .Config}}", "one"], ["ps", "-a", "--no-trunc"],
            ["ps", "-a", "--format", "{{.Labels}} {{.Command}} {{.Mounts}}"], ["ps", "-a", "--format", "json"], ["port", "one"],
            ["image", "inspect", "--format", "{{range .Config.Env}}{{println .}}{{end}}{{.Author}}", "case"], ["system", "df", "-v"], ["start", "one"]]


def on_terminal(args):
    """What it writes to a terminal."""
    master, slave = pty.openpty()
    child = subprocess.Popen(TARE + args, stdin=subprocess.DEVNULL, stdout=slave, stderr=slave)
    os.close(slave)
    said = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:
            break
        if not part:
            break
        said += part
    os.close(master)
    child.wait()
    return said


def run(*args):
    return subprocess.run(TARE + list(args), stdin=subprocess.DEVNULL, capture_output=True, check=False)


def obeyed(said):
    """Control characters that a terminal would obey."""
    text = said.decode("utf-8", "replace").replace("\r\n", "\n")
    return re.findall("[\x00-\x08\x0b-\x1f\x7f-\x9f]", text)


def faults(config, wanted):
    if not isinstance(config, dict):
        pass
    elif "Cmd" not in config:
        config = {"Cmd": ["true"], **config}
    path = os.path.join(PLACE, "image.tar")
    archive(path, [ROOTFS], config=config)
    loaded = run("load", "-q", "-i", path)
    if loaded.returncode and wanted in (0, 126, 127):
        yield f"not loaded: {loaded.stderr[:300]}"
    outcomes = [loaded] if loaded.returncode else [run("create", "--name", "one", "--network", "none", "case")]
    if not loaded.returncode:
        outcomes.append(run("run", "--rm", "--network", "none", "case"))
        status = outcomes[-1].returncode
        if status not in ([wanted] if wanted is not None else [0, 125, 126, 127]):
            yield f"status {status}: {outcomes[-1].stderr[:300]}"
        for command in COMMANDS if re.search(r"\\x|\\n", repr(config)) else []:
            written = obeyed(on_terminal(command))
            if written:
                yield f"{command} writes {set(written)}"
    for done in outcomes:
        said = [line for line in done.stderr.decode("utf-8", "replace").split("\n") if line and not line.startswith("Run 'tare")]
        if done.returncode and done is not outcomes[-1] and len(said) != 1 or len(said) > 1:
            yield f"{len(said)} lines: {done.stderr[:300]}"
        if obeyed(done.stderr):
            yield f"writes {set(obeyed(done.stderr))}"
    run("rm", "-f", "-v", "one")
    run("rmi", "-f", "case")
    left = run("images", "-q").stdout + run("ps", "-aq").stdout + run("volume", "ls", "-q").stdout
    if left:
        yield f"left: {left}"
        run("system", "prune", "-af", "--volumes")


def main():
    for config, wanted in CONFIGS:
        for fault in faults(config, wanted):
            print(f"{str(config)[:120]}: {fault}")
    print(f"{len(CONFIGS)} images")


main()
