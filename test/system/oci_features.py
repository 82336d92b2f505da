#!/usr/bin/env python3
"""What `tare oci features` says is of the schema's form, and true: oci_features.py TARE BUNDLE SCHEMA-DIR. For each name it lists a container is made
that uses it (several in one where they do not disturb each other); for each list the schema's names that it lacks are refused. Prints what is wrong."""
import copy, json, os, re, subprocess, sys, tempfile

import oci_bundle

tare, bundle, schemas = sys.argv[1:4]
work = tempfile.mkdtemp(prefix="/tmp/toe.")
wrong = []
files = {}
def load(name):
    if name not in files: files[name] = json.load(open(f"{schemas}/{name}"))
    return files[name]

def resolve(schema, file):
    while "$ref" in schema:
        name, _, pointer = schema["$ref"].partition("#")
        file = name or file
        schema = load(file)
        for step in pointer.strip("/").split("/"): schema = schema[step]
    return schema, file

KINDS = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int}
# In the text of version 1.3 of the specification, and not in its schema.
BEYOND = {"linux.memoryPolicy", "linux.intelRdt.schemata", "linux.intelRdt.monitoring"}
def check(value, schema, file, path):
    schema, file = resolve(schema, file)
    kind = schema.get("type")
    if kind and not isinstance(value, KINDS[kind]): return wrong.append(f"{path}: {value!r} is not of type {kind}")
    if "enum" in schema and value not in schema["enum"]: wrong.append(f"{path}: {value!r} is not among {schema['enum']}")
    if "pattern" in schema and not re.search(schema["pattern"], value): wrong.append(f"{path}: {value!r} does not match {schema['pattern']}")
    for name in schema.get("required", []):
        if name not in value: wrong.append(f"{path}.{name} is missing")
    if "properties" in schema:
        for name, part in value.items():
            at = f"{path}.{name}".lstrip(".")
            if name in schema["properties"]: check(part, schema["properties"][name], file, at)
            elif at not in BEYOND: wrong.append(f"{at}: is not in the schema")
    if isinstance(value, list):
        if len(set(map(str, value))) != len(value): wrong.append(f"{path}: a name twice")
        for i, one in enumerate(value): check(one, schema["items"], file, f"{path}[{i}]")

def enum(name): return set(load("defs-linux.json")["definitions"][name]["enum"])

# ---- Containers
base = oci_bundle.base(tare, work)
base["root"] = {"path": bundle + "/rootfs"}
base["linux"]["cgroupsPath"] = f"/tare-features-{os.getpid()}"
base["process"]["args"] = ["true"]
tries = 0
def put(path, value):
    def change(c):
        *way, last = path.split(".")
        for w in way: c = c.setdefault(w, {})
        c[last] = value
    return change
def run(*changes):
    """What a container of this configuration says when it is refused; "" when it ran."""
    global tries
    tries += 1
    c = copy.deepcopy(base)
    for change in changes: change(c)
    json.dump(c, open(work + "/config.json", "w"))
    r = subprocess.run([tare, "oci", "--root", work + "/run", "run", "-b", work, "c"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    subprocess.run([tare, "oci", "--root", work + "/run", "delete", "--force", "c"])
    return "" if r.returncode == 0 else r.stderr.strip() or f"status {r.returncode}"
def works(name, *changes):
    said = run(*changes)
    if said: wrong.append(f"{name}: is listed, but: {said}")
def refused(name, *changes):
    said = run(*changes)
    if "not known" not in said and "not one of" not in said and "unknown" not in said: wrong.append(f"{name}: is not listed, but: {said or 'ran'}")

said = json.loads(subprocess.run([tare, "oci", "features"], check=True, capture_output=True, text=True).stdout)
check(said, load("features-schema.json"), "features-schema.json", "")
linux = said["linux"]

for name in ("ociVersionMin", "ociVersionMax"): works(f"{name} {said[name]}", put("ociVersion", said[name]))
if [int(n) for n in said["ociVersionMax"].split(".")] < [int(n) for n in said["ociVersionMin"].split(".")]: wrong.append("ociVersionMax < ociVersionMin")

# Annotations that the runtime looks for, as its source has them.
source = os.path.dirname(os.path.abspath(__file__)) + "/../../src/oci"
looked_for = {n for f in os.listdir(source) if f.endswith(".c") and f != "describe.c" for n in re.findall(r'"((?:org\.systemd|run\.oci)\.[a-z_.]+)"', open(f"{source}/{f}").read())}
if looked_for != set(said["potentiallyUnsafeConfigAnnotations"]): wrong.append(f"potentiallyUnsafeConfigAnnotations: {said['potentiallyUnsafeConfigAnnotations']}, but the source knows {sorted(looked_for)}")

for name in said["hooks"]: # each runs
    mark = f"{work}/hook-{name}" if name != "startContainer" else f"/tmp/hook-{name}"
    works(f"hook {name}", put(f"hooks.{name}", [{"path": "/bin/touch", "args": ["touch", mark]}]), put("root", {"path": bundle + "/rootfs", "readonly": False}))
    if not os.path.exists(mark if name != "startContainer" else bundle + "/rootfs" + mark): wrong.append(f"hook {name}: is listed and does not run")

os.makedirs(work + "/source", exist_ok=True)
maps = [{"containerID": 0, "hostID": 7777, "size": 10}]
for name in said["mountOptions"]:
    kind = {"bind": ["bind"], "rbind": ["rbind"], "idmap": ["bind", "idmap"], "ridmap": ["rbind", "ridmap"]}.get(name)
    m = {"destination": "/tmp", "type": "none" if kind else "tmpfs", "source": work + "/source" if kind else "t", "options": kind or [name]}
    if name.endswith("idmap"): m |= {"uidMappings": maps, "gidMappings": maps}
    works(f"mount option {name}", lambda c: c["mounts"].append(m))

for name in linux["namespaces"]:
    def new(c):
        c["linux"]["namespaces"] = [n for n in c["linux"]["namespaces"] if n["type"] != name] + [{"type": name}]
        if name == "user": c["linux"] |= {"uidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}], "gidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}]}
    works(f"namespace {name}", new)
for name in enum("NamespaceType") - set(linux["namespaces"]): wrong.append(f"namespace {name}: is in the schema and not listed")

works("all capabilities", put("process.capabilities", {s: linux["capabilities"] for s in ("bounding", "effective", "permitted")}))
last = int(open("/proc/sys/kernel/cap_last_cap").read())
if len(linux["capabilities"]) <= last: wrong.append(f"capabilities: {len(linux['capabilities'])} are listed, this kernel has {last + 1}")

s = linux["seccomp"]
def rule(**more): return {"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", **more}
def filter(*rules, **more): return put("linux.seccomp", {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": list(rules), **more})
for name in s["actions"]:
    if name == "SCMP_ACT_NOTIFY": continue # needs who answers: oci_hooks.bats
    works(f"action {name}", filter({"names": ["mkdir"], "action": name}))
for name in s["operators"]: works(f"operator {name}", filter(rule(args=[{"index": 0, "value": 1, "valueTwo": 1, "op": name}])))
works("all architectures", filter(rule(), architectures=s["archs"]))
for name in s["supportedFlags"]:
    if name == "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV": continue # with SCMP_ACT_NOTIFY only: the same
    works(f"flag {name}", filter(rule(), flags=[name]))
for known, listed, of in (("SeccompAction", "actions", "action"), ("SeccompOperators", "operators", "operator"), ("SeccompArch", "archs", "architecture"), ("SeccompFlag", "knownFlags", "flag")):
    for name in enum(known) - set(s[listed]):
        if of == "architecture": refused(f"architecture {name}", filter(rule(), architectures=[name]))
        else: wrong.append(f"{of} {name}: is in the schema and not listed")
if set(s["supportedFlags"]) - set(s["knownFlags"]): wrong.append("supportedFlags has more than knownFlags")

kernel = tuple(int(n) for n in re.match(r"(\d+)\.(\d+)", os.uname().release).groups())
nodes = open("/sys/devices/system/node/online").read().strip() if os.path.exists("/sys/devices/system/node/online") else "0"
p = linux["memoryPolicy"]
for name in p["modes"]: # the list is of what tare knows, whatever the kernel
    use = put("linux.memoryPolicy", {"mode": name, **({} if name in ("MPOL_DEFAULT", "MPOL_LOCAL") else {"nodes": nodes})})
    if name != "MPOL_WEIGHTED_INTERLEAVE" or kernel >= (6, 9): works(f"memory policy {name}", use)
    elif "needs Linux 6.9" not in (text := run(use)): wrong.append(f"memory policy {name} on this kernel: {text or 'ran'}")
for name in p["flags"]: works(f"memory policy {name}", put("linux.memoryPolicy", {"mode": "MPOL_BIND", "nodes": nodes, "flags": [name]}))
for known, listed in (("MemoryPolicyMode", "modes"), ("MemoryPolicyFlag", "flags")):
    for name in enum(known) ^ set(p[listed]): wrong.append(f"memory policy {name}: schema and list differ")

has = {kind for kind in ("cgroup", "cgroup2") if re.search(rf" - {kind} ", open("/proc/self/mountinfo").read())}
for kind, name in (("cgroup", "v1"), ("cgroup2", "v2")):
    if kind in has and not linux["cgroup"][name]: wrong.append(f"cgroup.{name}: false, and is in use here")
if not linux["intelRdt"]["enabled"] or " - resctrl " not in open("/proc/self/mountinfo").read():
    said_of = run(put("linux.intelRdt", {"closID": "x", "schemata": ["L3:0=1"]}))
    if "linux.intelRdt: no resctrl is mounted" not in said_of: wrong.append(f"intelRdt where there is none: {said_of or 'ran'}")
for name in ("apparmor", "selinux"):
    if not os.path.exists("/sys/fs/selinux/enforce" if name == "selinux" else "/sys/kernel/security/apparmor"): continue
    works(name, put("process." + {"apparmor": "apparmorProfile", "selinux": "selinuxLabel"}[name], "unconfined"))

for line in wrong: print(line)
print(f"{tries} containers, {len(wrong)} wrong")
subprocess.run(["rm", "-rf", work])
sys.exit(bool(wrong))
