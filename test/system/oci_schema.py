#!/usr/bin/env python3
"""For each constraint of the specification's schema a document that breaks just that one: oci_schema.py TARE SCHEMA-DIR. Each has to be refused
with the path of the field. Prints what was not; the last line counts."""
import copy, json, os, re, resource, subprocess, sys, tempfile

import oci_bundle

tare, schemas = sys.argv[1:3]
work = tempfile.mkdtemp(prefix="/tmp/tos.")
os.mkdir(work + "/rootfs")
base = oci_bundle.base(tare, work)
base["linux"]["cgroupsPath"] = "/tare-schema-never"
base["process"]["cwd"] = "/no/such" # should a document be taken, nothing would run
del base["linux"]["resources"]
files = {}
def load(name):
    if name not in files: files[name] = json.load(open(f"{schemas}/{name}"))
    return files[name]

def resolve(schema, file):
    """What a schema says once its references are followed: (merged, file)."""
    while "$ref" in schema or "allOf" in schema:
        if "allOf" in schema:
            merged = {k: v for k, v in schema.items() if k != "allOf"}
            for part in schema["allOf"]:
                part, file = resolve(part, file)
                merged = {**part, **merged}
            schema = merged
            continue
        name, _, pointer = schema["$ref"].partition("#")
        rest = {k: v for k, v in schema.items() if k != "$ref"}
        file = name or file
        target = load(file)
        for step in pointer.strip("/").split("/") if pointer.strip("/") else []:
            target = target[step]
        schema = {**target, **rest}
    return schema, file

def kinds(schema):
    t = schema.get("type")
    return [t] if isinstance(t, str) else t or (["object"] if "properties" in schema else [])

def minimal(schema, file):
    schema, file = resolve(schema, file)
    if "enum" in schema: return schema["enum"][0]
    for kind in kinds(schema):
        if kind == "object":
            return {k: minimal(schema["properties"][k], file) for k in schema.get("required", []) if k in schema.get("properties", {})}
        if kind == "array": return [minimal(schema["items"], file)] if schema.get("minItems") else []
        if kind == "string": return {"^RLIMIT_[A-Z]+$": "RLIMIT_CORE", "^[1-9][0-9]*[KMG]B$": "2MB", "^MB:[^\\n]*$": "MB:", "^[cbup]$": "c", "^[acbup]$": "c"}.get(schema.get("pattern"), "1" if schema.get("pattern") else "/x")
        if kind in ("integer", "number"): return max(schema.get("minimum", 1), min(1, schema.get("maximum", 1)))
        if kind == "boolean": return False
    return "x"

cases = []
def say(path): return "".join(p if p.startswith("[") else ("." if i else "") + p for i, p in enumerate(path))
def wrong_type(kind): return {"object": "x", "array": "x", "string": 7, "integer": "x", "number": "x", "boolean": "x"}[kind]

def walk(schema, file, path, put, depth=0):
    """put(value) makes a document with the value at the path."""
    schema, file = resolve(schema, file)
    ks = kinds(schema)
    if ks and "null" not in ks and len(ks) == 1:
        cases.append((say(path), f"type {ks[0]}", put(wrong_type(ks[0]))))
    if "enum" in schema: cases.append((say(path), "enum", put("nonsense")))
    if schema.get("pattern"): cases.append((say(path), "pattern", put("\n?")))
    if "minimum" in schema: cases.append((say(path), "minimum", put(schema["minimum"] - 1)))
    if "maximum" in schema: cases.append((say(path), "maximum", put(schema["maximum"] + 1)))
    if "format" in schema: return
    if schema.get("minItems"): cases.append((say(path), "minItems", put([])))
    least = minimal(schema, file)
    for name in schema.get("required", []):
        if name in least:
            cases.append((say(path + [name]), "required", put({k: v for k, v in least.items() if k != name})))
    for name, sub in schema.get("properties", {}).items():
        if name in ("windows", "solaris", "vm", "zos", "freebsd"): continue
        walk(sub, file, path + [name], lambda v, name=name: put({**least, name: v}), depth + 1)
    if isinstance(schema.get("items"), dict) and ks == ["array"]:
        walk(schema["items"], file, path + ["[0]"], lambda v: put([v]), depth + 1)
    for pattern, sub in schema.get("patternProperties", {}).items():
        key = "boottime" if "boottime" in pattern else "key"
        walk(sub, file, path + [key], lambda v, key=key: put({key: v}), depth + 1)

def at(path):
    def put(value):
        c = copy.deepcopy(base)
        if not path: return {**c, **value} if isinstance(value, dict) else value
        c[path[0]] = {**c.get(path[0], {}), **value} if isinstance(value, dict) and path[0] in ("process", "linux", "root") else value
        return c
    return put

root, file = resolve({"$ref": "config-schema.json"}, "config-schema.json")
for name, sub in root["properties"].items():
    if name in ("windows", "solaris", "vm", "zos", "freebsd"): continue
    walk(sub, file, [name], at([name]))
for name in root["required"]:
    cases.append((name, "required", {k: v for k, v in base.items() if k != name}))

wrong = 0
for path, why, document in cases:
    if why == "required" and "." in path and path.split(".")[0] in ("process", "linux", "root") and path.count(".") == 1 and "[" not in path:
        document[path.split(".")[0]].pop(path.split(".")[1], None)
    json.dump(document, open(work + "/config.json", "w"))
    r = subprocess.run([tare, "oci", "--root", work + "/run", "create", "-b", work, "c"], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120)
    if r.returncode == 0: subprocess.run([tare, "oci", "--root", work + "/run", "delete", "--force", "c"])
    message = (re.search(r'msg="(.*)"$', r.stderr.strip()) or [None, r.stderr])[1]
    plain = re.sub(r"\[\d+\]", "", path)
    if r.returncode and re.search(r"config: the number -?\d{19,} at byte \d+ does not fit 64 bits", message): continue # before there is a field
    if r.returncode == 0 or re.sub(r"\[\d+\]", "", message).find(plain) != 0:
        wrong += 1
        print(f"{path} ({why}): {'accepted' if r.returncode == 0 else message}")
def children_seconds():  # of the processor
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
# Large and deep ones do no harm: within this address space and processor time (that of an emulated machine) the answer is the same.
def harmless(name, text, says, kib):
    open(work + "/config.json", "w").write(text)
    before = children_seconds()
    r = subprocess.run(["sh", "-c", f'ulimit -v {kib}; exec "$@"', "sh", tare, "oci", "--root", work + "/run", "create", "-b", work, "c"],
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=300)
    took = children_seconds() - before
    subprocess.run([tare, "oci", "--root", work + "/run", "delete", "--force", "c"], stderr=subprocess.DEVNULL)
    if r.returncode == 0 or not re.search(says, r.stderr) or took > 60:
        print(f"{name}: status {r.returncode}, {took:.1f} s: {r.stderr[:200]}")
        return 1
    return 0
big = json.dumps({**base, "annotations": {f"k{i}": "x" * 90 for i in range(100000)}})
wrong += harmless("10 MB of annotations", big, r"no such|not found", 200 << 10)
wrong += harmless("10 MB of mounts", json.dumps({**base, "mounts": [{"destination": "/x", "type": "tmpfs", "source": "t"}] * 200000}), r"mounts", 400 << 10)
def many(path, values):
    """A million bytes and more of one list: what is done to it takes a time that grows as it does."""
    document = copy.deepcopy(base)
    *way, last = path.split(".")
    at = document
    for w in way: at = at.setdefault(w, {})
    at[last] = values
    return json.dumps(document)
n = 200000
wrong += harmless("variables", many("process.env", [f"V{i}=" for i in range(n)]), r"no such|not found|too large|too many", 400 << 10)
wrong += harmless("masked paths", many("linux.maskedPaths", [f"/p{i}" for i in range(n)]), r"no such|not found|too large|too many", 400 << 10)
wrong += harmless("limits", many("process.rlimits", [{"type": "RLIMIT_" + "".join(chr(65 + i // 26**k % 26) for k in range(4)), "soft": 1, "hard": 1} for i in range(n)]), r"process\.rlimits", 700 << 10)
wrong += harmless("device rules", many("linux.resources.devices", [{"allow": i % 2 == 0, "type": "c", "major": i % 4000, "minor": i} for i in range(n)]), r"linux\.resources", 700 << 10)
wrong += harmless("devices", many("linux.devices", [{"path": f"/dev/x{i}", "type": "p"} for i in range(n // 3)]), r"no such|not found|too large|too many", 400 << 10)
wrong += harmless("17 MB", "{\"x\": \"" + "y" * (17 << 20) + "\"}", r"larger|more than|too large|too big", 96 << 10)
wrong += harmless("depth 1,000", '{"x": ' + "[" * 1000 + "]" * 1000 + "}", r"deep|nested|depth", 32 << 10)
wrong += harmless("not JSON", "{" * 10, r"config", 32 << 10)
print(f"{len(cases)} documents, {wrong} not refused by the field's path")
subprocess.run(["rm", "-rf", work])
sys.exit(wrong > 0)
