#!/usr/bin/env python3
"""Every verb in every state of a container: oci_states.py TARE BUNDLE SCHEMA-DIR. The table says what each does or how it is refused; whoever calls a
runtime reads these words, and the lines of its log. A refusal changes nothing: the container is looked at again. Prints what is wrong."""
import fcntl, json, os, re, subprocess, sys, tempfile, time

import oci_bundle

tare, bundle, schemas = os.path.abspath(sys.argv[1]), *sys.argv[2:4]
work = tempfile.mkdtemp(prefix="/tmp/tow.")
root, log = work + "/run", work + "/log"
config = oci_bundle.base(tare, work)
config["root"] = {"path": bundle + "/rootfs"}
config["linux"]["cgroupsPath"] = f"/tare-states-{os.getpid()}"
config["process"]["args"] = ["sleep", "1000"]
json.dump(config, open(work + "/config.json", "w"))
schema = json.load(open(schemas + "/state-schema.json"))
wrong = []

def call(*words, form="json"):
    open(log, "w").close()
    return subprocess.run([tare, "oci", "--root", root, "--log", log, "--log-format", form, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
def status():
    r = call("state", "c")
    return json.loads(r.stdout)["status"] if r.returncode == 0 else None
def until(what):
    for _ in range(100):
        if status() == what: return
        time.sleep(0.05)
    raise SystemExit(f"the container does not become {what}: {status()}")
def ok(*words):
    r = call(*words)
    if r.returncode != 0: raise SystemExit("\n".join([*wrong, f"{' '.join(words)}: {r.stderr}"]))
def create():
    with open(work + "/out", "w+") as out: # no pipe: the container keeps its streams
        if subprocess.run([tare, "oci", "--root", root, "create", "-b", work, "c"], stdin=subprocess.DEVNULL, stdout=out, stderr=out).returncode != 0:
            raise SystemExit("\n".join([*wrong, open(work + "/out").read()]))

creator = None
def held():
    fd = os.open(root + "/c", os.O_RDONLY)
    try: fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError: return True
    finally: os.close(fd)
    return False

# ---- How a container comes into each state; all end by delete --force
def none(): pass
def creating():
    """While the creator holds the directory's lock."""
    global creator
    abandoned()
    creator = subprocess.Popen(["flock", "-F", root + "/c", "sleep", "1000"])
    while not held(): time.sleep(0.01)
def abandoned():
    """Its creator was killed."""
    os.makedirs(root + "/c")
def created(): create()
def running(): create(); ok("start", "c")
def paused(): running(); ok("pause", "c")
def stopped(): running(); ok("kill", "c", "KILL"); until("stopped")
def damaged(): stopped(); open(root + "/c/state.json", "w").write('{"ociVersion":')

GONE, DEAD = "container does not exist", "container not running"
DAMAGED = "read the state of container c: "
NOT_STOPPED = "cannot delete container c that is not stopped: "
DOES = None
VERBS = { # verb: words, and for none, creating, abandoned, created, running, paused, stopped, damaged: the refusal's words; DOES = it does it
    "state":  (["state", "c"],         [GONE] + [DOES] * 6 + [DAMAGED]),
    "create": (["create", "-b", work, "c"], [DOES] + ["container with given ID already exists"] * 7),
    "run":    (["run", "-d", "-b", work, "c"], [DOES] + ["container with given ID already exists"] * 7),
    "start":  (["start", "c"],         [GONE, "cannot start a container that is creating", "cannot start a container that is stopped", DOES] + [f"cannot start a container that is {s}" for s in ("running", "paused", "stopped")] + [DAMAGED]),
    "kill":   (["kill", "c", "0x"],    [GONE] + ['unknown signal "0x"'] * 6 + [DAMAGED]),
    "kill TERM": (["kill", "c", "URG"], [GONE, DEAD, DEAD, DOES, DOES, DOES, DEAD, DAMAGED]),
    "delete": (["delete", "c"],        [GONE, NOT_STOPPED + "creating", DOES, DOES, NOT_STOPPED + "running", NOT_STOPPED + "paused", DOES, DAMAGED]),
    "delete --force": (["delete", "--force", "c"], [DOES] * 7 + [DOES]),
    "exec":   (["exec", "c", "true"],  [GONE, DEAD, DEAD, DOES, DOES, "cannot exec in a paused container (use --ignore-paused to override)", DEAD, DAMAGED]),
    "pause":  (["pause", "c"],         [GONE, DEAD, DEAD, DOES, DOES, "container is paused already", DEAD, DAMAGED]),
    "resume": (["resume", "c"],        [GONE] + ["container not paused"] * 4 + [DOES, "container not paused", DAMAGED]),
    "ps":     (["ps", "c"],            [GONE, DEAD, DEAD, DOES, DOES, DOES, DOES, DAMAGED]),
    "update": (["update", "--pids-limit", "50", "c"], [GONE, DEAD, DEAD, DOES, DOES, DOES, DEAD, DAMAGED]),
    "events": (["events", "--stats", "c"], [GONE, DEAD, DEAD, DOES, DOES, DOES, DEAD, DAMAGED]),
}
STATES = [none, creating, abandoned, created, running, paused, stopped, damaged]

def check_log(verb, state, said, form):
    """Each line is a record; the last says what standard error says."""
    lines = open(log).read().splitlines()
    if form == "json":
        try: records = [json.loads(l) for l in lines]
        except ValueError: return f"{verb}, {state}: the log is not JSON: {lines}"
    else:
        records = [m.groupdict() for m in (re.fullmatch(r'time="(?P<time>[^"]+)" level=(?P<level>\w+) msg="(?P<msg>.*)"', l) for l in lines) if m]
        if len(records) != len(lines): return f"{verb}, {state}: the log is not of the form: {lines}"
    for r in records:
        if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", r["time"]) or r["level"] not in ("error", "warning", "debug"): return f"{verb}, {state}: {r}"
    last = records[-1]["msg"] if records else None
    if said is not None and (not last or records[-1]["level"] != "error" or said not in last.replace('\\"', '"')): return f"{verb}, {state}: the log ends with {last!r}"
    return None

def clear():
    """Whatever it is in, by force; a creation goes on until its creator ends."""
    global creator
    if creator:
        if os.path.exists(root + "/c") and not held(): wrong.append("the creation has ended before its creator")
        creator.kill(); creator.wait()
        creator = None
    r = call("delete", "--force", "c")
    if r.returncode != 0: wrong.append(f"delete --force: {r.stderr}")
    if os.path.exists(root + "/c"): wrong.append("delete --force leaves the directory")

tries = 0
for i, state in enumerate(STATES):
    name = state.__name__
    for verb, (words, says) in VERBS.items():
        state()
        before = status()
        if state is creating and verb == "delete --force": # it waits for who makes it, whom it does not know yet
            creator.kill()
            creator.wait()
        form = "text" if tries % 2 else "json"
        tries += 1
        try:
            if words[0] in ("create", "run"):
                open(log, "w").close()
                out = open(work + "/out", "w+")
                r = subprocess.run([tare, "oci", "--root", root, "--log", log, "--log-format", form, *words], stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=120)
                r.stderr = open(work + "/out").read()
            else: r = call(*words, form=form)
        except subprocess.TimeoutExpired:
            wrong.append(f"{verb}, {name}: hangs")
            clear()
            continue
        fault = check_log(verb, name, says[i], form)
        if fault: wrong.append(fault)
        said = r.stderr.replace('\\"', '"')
        if says[i] is DOES and r.returncode != 0: wrong.append(f"{verb}, {name}: is refused: {said.strip()}")
        if says[i] is not DOES:
            if r.returncode == 0: wrong.append(f"{verb}, {name}: is not refused")
            elif says[i] not in said: wrong.append(f"{verb}, {name}: says {said.strip()!r} instead of {says[i]!r}")
            if r.returncode == 0 or status() != before: wrong.append(f"{verb}, {name}: was {before}, and {status()} after it was refused")
        clear()
    if state in (creating, created, running, stopped): # of the schema's form
        state()
        s = json.loads(call("state", "c").stdout)
        for member in schema["required"]:
            if member not in s: wrong.append(f"state, {name}: {member} is missing")
        if s["status"] != name or s["status"] not in schema["properties"]["status"]["enum"]: wrong.append(f"state, {name}: {s['status']}")
        if name in ("created", "running") and s["pid"] <= 0: wrong.append(f"state, {name}: pid {s['pid']}")
        clear()

for words, says in ((["state"], "a container id is expected"), (["kill"], "a container id is expected"), (["delete"], "a container id is expected"), (["start"], "one container id is expected"),
                    (["create", "c"], "config.json"), (["create", "-b", "/no/such", "c"], "open the bundle"), (["create", "-b", work], "one container id is expected"),
                    (["state", ".."], 'invalid container id ".."'), (["create", "-b", work, "a/b"], 'invalid container id "a/b"'), (["create", "-b", work, ""], 'invalid container id ""'),
                    (["nonsense"], "nonsense: there is no such command"), (["state", "--nonsense", "c"], "--nonsense is not known")):
    r = subprocess.run([tare, "oci", "--root", root, "--log", log, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd="/")
    tries += 1
    if r.returncode != 1 or says not in r.stderr.replace('\\"', '"'): wrong.append(f"{' '.join(words)}: {r.returncode} {r.stderr.strip()}")
if os.path.exists(root) and os.listdir(root): wrong.append(f"left: {os.listdir(root)}")

for line in wrong: print(line)
print(f"{tries} calls, {len(wrong)} wrong")
subprocess.run(["rm", "-rf", work])
sys.exit(bool(wrong))
