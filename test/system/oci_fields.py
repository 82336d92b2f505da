#!/usr/bin/env python3
"""Every field of config.json, one line each: oci_fields.py TARE BUNDLE GROUP [FIELD…]. For each field a container is run that shows whether
the field works, or that it is refused by its name. Prints what failed; the exit status says whether anything did."""
import atexit, copy, glob, json, os, re, subprocess, sys, tempfile

import oci_bundle

tare, bundle, group, *only = sys.argv[1:]
work = tempfile.mkdtemp(prefix="/tmp/tof.")
cgroup = f"/tare-fields-{os.getpid()}"
base = oci_bundle.base(tare, work)
base["root"] = {"path": bundle + "/rootfs"}
base["linux"]["cgroupsPath"] = cgroup
base["process"]["noNewPrivileges"] = False
ALL = ["CAP_" + n for n in "CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_RAW SYS_CHROOT MKNOD "
       "AUDIT_WRITE SETFCAP SYS_ADMIN NET_ADMIN SYS_NICE".split()]
base["process"]["capabilities"] = {s: ALL for s in ("bounding", "effective", "permitted")}
V2 = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
UNIFIED = [name for path in glob.glob("/sys/fs/cgroup/cgroup.controllers") + glob.glob("/sys/fs/cgroup/unified/cgroup.controllers") for name in open(path).read().split()]

groups = {}
def case(group, field, change, command=None, says=None, refused=None, exec_=None, host=None):
    groups.setdefault(group, []).append((field, change, command, says, refused, exec_, host))

def sh(text): return ["sh", "-c", text]
def put(path, value):
    """A change of the configuration: put("process.user.umask", 7)."""
    def change(c):
        *way, last = path.split(".")
        for w in way: c = c.setdefault(w, {})
        c[last] = value
    return change
def both(*changes):
    def change(c):
        for f in changes: f(c)
    return change
def mount(*m): return lambda c: c["mounts"].extend(m)
def without(ns): return lambda c: c["linux"].__setitem__("namespaces", [n for n in c["linux"]["namespaces"] if n["type"] != ns])
def add_ns(**ns): return lambda c: c["linux"]["namespaces"].append(ns)
MAP = [{"containerID": 0, "hostID": 100000, "size": 65536}]
user_ns = both(add_ns(type="user"), put("linux.uidMappings", MAP), put("linux.gidMappings", MAP))
def hierarchies():
    """Where each controller is: version 1's by their mounts, the others in that of version 2."""
    where = {}
    for line in open("/proc/self/mounts"):
        _, path, kind, options, *_ = line.split()
        if kind == "cgroup2": where["-"] = path
        elif kind == "cgroup": where |= {name: path for name in options.split(",")}
    return where
WHERE = hierarchies()
def limit(controller, v1, v2, value):
    """The file of the container's group on the host: version 1's where that has the controller, else version 2's."""
    def look():
        names = [n for n in controller.split(",") if n != "-"]
        one = next((WHERE[n] for n in names if n in WHERE), None)
        path = f"{one}{cgroup}/{v1}" if one else f"{WHERE.get('-', '/sys/fs/cgroup')}{cgroup}/{v2}"
        if path.endswith("/io.bfq.weight") and not os.path.exists(path): # no disk has that scheduler: the controller's own weights
            return None if "default 4950" in open(path.replace("bfq.", "")).read() else f"{path.replace('bfq.', '')}: not 4950"
        if not os.path.exists(path): return f"{path} is not there"
        text = open(path).read()
        return None if re.search(value, text) else f"{path}: {text!r}"
    return look
def has(controllers): return any(n in WHERE or n in UNIFIED for n in controllers.split(","))

# ---- process
case("process", "process.cwd", put("process.cwd", "/tmp"), ["pwd"], r"^/tmp$")
case("process", "process.cwd", put("process.cwd", "tmp"), ["pwd"], refused=r"process\.cwd")
case("process", "process.env", put("process.env", ["PATH=/bin", "A=b c"]), sh("echo $A"), "^b c$")
case("process", "process.env", put("process.env", ["A"]), ["true"], refused=r"process\.env\[0\]")
case("process", "process.args", put("process.args", []), None, refused=r"process\.args")
case("process", "process.user.uid", put("process.user", {"uid": 5, "gid": 6, "additionalGids": [7, 8]}), sh("id -u; id -g; id -G"), r"^5\n6\n6 7 8$")
case("process", "process.user.umask", put("process.user", {"uid": 0, "gid": 0, "umask": 0o27}), sh("umask"), "^0027$")
case("process", "process.capabilities", put("process.capabilities", {s: ["CAP_KILL"] for s in ("bounding", "effective", "permitted", "inheritable", "ambient")}),
     sh("grep Cap /proc/self/status"), r"CapInh:\s+0+20\nCapPrm:\s+0+20\nCapEff:\s+0+20\nCapBnd:\s+0+20\nCapAmb:\s+0+20")
case("process", "process.capabilities (not to be had)", put("process.capabilities", {"bounding": ["CAP_KILL", "CAP_NONSENSE"], "permitted": ["CAP_KILL", "CAP_NONSENSE"], "effective": ["CAP_KILL", "CAP_CHOWN"], "inheritable": ["CAP_CHOWN"], "ambient": ["CAP_KILL"]}),
     sh("grep Cap /proc/self/status"), r"CapInh:\s+0+\nCapPrm:\s+0+20\nCapEff:\s+0+20\nCapBnd:\s+0+20\nCapAmb:\s+0+\n")
case("process", "process.rlimits", put("process.rlimits", [{"type": "RLIMIT_NOFILE", "soft": 77, "hard": 88}]), sh("ulimit -Sn; ulimit -Hn"), r"^77\n88$")
case("process", "process.rlimits", put("process.rlimits", [{"type": "RLIMIT_NONSENSE", "soft": 1, "hard": 1}]), ["true"], refused="RLIMIT_NONSENSE")
case("process", "process.noNewPrivileges", put("process.noNewPrivileges", True), sh("grep NoNew /proc/self/status"), r"NoNewPrivs:\s+1")
case("process", "process.oomScoreAdj", put("process.oomScoreAdj", 321), sh("cat /proc/self/oom_score_adj"), "^321$")
case("process", "process.apparmorProfile", put("process.apparmorProfile", "nonsense"), ["true"], refused="apparmor label nonsense")
case("process", "process.selinuxLabel", put("process.selinuxLabel", "nonsense"), ["true"], refused="selinux label nonsense")
case("process", "process.scheduler", put("process.scheduler", {"policy": "SCHED_BATCH", "nice": 3}), sh("cut -d' ' -f19,41 /proc/self/stat"), "^3 3$")
case("process", "process.scheduler.flags", put("process.scheduler", {"policy": "SCHED_IDLE", "flags": ["SCHED_FLAG_RESET_ON_FORK"]}), ["cut", "-d ", "-f41", "/proc/self/stat"], "^5$")
case("process", "process.ioPriority", put("process.ioPriority", {"class": "IOPRIO_CLASS_IDLE", "priority": 0}), ["ionice"], "^idle")
case("process", "process.ioPriority", put("process.ioPriority", {"class": "IOPRIO_CLASS_BE", "priority": 6}), ["ionice"], "^best-effort: prio 6")
case("process", "process.execCPUAffinity", put("process.execCPUAffinity", {"initial": "0", "final": "1"}), None, r"Cpus_allowed_list:\s+1$", exec_=["grep", "Cpus_allowed_list", "/proc/self/status"])
case("process", "process.terminal", put("process.terminal", True), sh("[ -t 0 ] && tty"), says="/dev/pts/0")
case("process", "process.commandLine", put("process.commandLine", "x"), ["echo", "of Windows, passed over"], "passed over")

# ---- names and annotations
case("names", "hostname", put("hostname", "aname"), ["hostname"], "^aname$")
case("names", "hostname", both(put("hostname", "aname"), without("uts")), ["hostname"], refused="^hostname: ")
case("names", "domainname", put("domainname", "adomain"), sh("cat /proc/sys/kernel/domainname"), "^adomain$")
case("names", "annotations", put("annotations", {"k": "v"}), None, None, host=lambda: None if '"annotations":{"k":"v"}' in state() else state())
case("names", "linux.sysctl", put("linux.sysctl", {"net.ipv4.ip_forward": "1", "kernel.msgmax": "4444"}), sh("cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax"), r"^1\n4444$")
case("names", "linux.sysctl", put("linux.sysctl", {"kernel.panic": open("/proc/sys/kernel/panic").read().strip()}), ["true"], refused=r"kernel\.panic")

# ---- namespaces
own = sh("for n in mnt pid net uts ipc cgroup; do readlink /proc/self/ns/$n; done")
def other_namespaces(out):
    mine = {os.readlink("/proc/self/ns/" + n) for n in "mnt pid net uts ipc cgroup".split()}
    return None if len(out.split()) == 6 and not mine & set(out.split()) else out
case("namespaces", "linux.namespaces (new)", lambda c: None, own, other_namespaces)
case("namespaces", "linux.namespaces network (by path)", both(without("network"), add_ns(type="network", path="/proc/self/ns/net")), ["readlink", "/proc/self/ns/net"], re.escape(os.readlink("/proc/self/ns/net")))
case("namespaces", "linux.namespaces twice", add_ns(type="uts"), ["true"], refused=r"linux\.namespaces\[6\]")
case("namespaces", "linux.namespaces unknown path", both(without("ipc"), add_ns(type="ipc", path="/no/such")), ["true"], refused="/no/such")
case("namespaces", "linux.uidMappings", user_ns, sh("cat /proc/self/uid_map; id -u"), r"^\s+0\s+100000\s+65536\n0$")
case("namespaces", "linux.uidMappings missing", add_ns(type="user"), ["true"], refused=r"linux\.uidMappings")
case("namespaces", "linux.timeOffsets (exec)", both(add_ns(type="time"), put("linux.timeOffsets", {"boottime": {"secs": 864000}})), None,
     lambda out: None if out and float(out.split()[0]) > 864000 else repr(out), exec_=["cat", "/proc/uptime"])
case("namespaces", "linux.timeOffsets", both(add_ns(type="time"), put("linux.timeOffsets", {"boottime": {"secs": 864000}})),
     sh("cat /proc/uptime"), lambda out: None if float(out.split()[0]) > 864000 else out)
case("namespaces", "linux.timeOffsets without a namespace", put("linux.timeOffsets", {"boottime": {"secs": 1}}), ["true"], refused=r"linux\.timeOffsets")
case("namespaces", "linux.timeOffsets clock", both(add_ns(type="time"), put("linux.timeOffsets", {"realtime": {"secs": 1}})), ["true"], refused=r"linux\.timeOffsets")

# ---- files
host_dir = work + "/host"; os.makedirs(host_dir + "/below")
os.symlink("/etc", host_dir + "/out") # of the container's root, wherever it is looked up
open(host_dir + "/file", "w").write("from the host\n")
def bind(*options, destination="/tmp/m"): return {"destination": destination, "type": "bind", "source": host_dir, "options": list(options)}
case("files", "root.readonly", put("root.readonly", True), sh("touch /tmp/x 2>&1; true"), "Read-only")
case("files", "mounts bind ro", mount(bind("bind", "ro")), sh("cat /tmp/m/file; touch /tmp/m/x 2>&1; true"), r"from the host\n.*Read-only")
case("files", "mounts rbind rro", mount(bind("rbind", "rro")), sh("grep ' /tmp/m' /proc/self/mountinfo"), r" ro[, ]")
for option, word in (("nosuid", "nosuid"), ("nodev", "nodev"), ("noexec", "noexec"), ("noatime", "noatime"), ("nodiratime", "nodiratime"), ("nosymfollow", "nosymfollow"),
                     ("rnosuid", "nosuid"), ("rnodev", "nodev"), ("rnoexec", "noexec"), ("rnoatime", "noatime"), ("rnosymfollow", "nosymfollow"), ("relatime", "relatime"), ("rrelatime", "relatime")):
    case("files", "mounts " + option, mount(bind("rbind", option)), sh("grep ' /tmp/m ' /proc/self/mountinfo"), rf"[ ,]{word}[ ,]")
for option, no in (("suid", "nosuid"), ("dev", "nodev"), ("exec", "noexec"), ("rsuid", "nosuid"), ("rexec", "noexec"), ("symfollow", "nosymfollow"), ("strictatime", "relatime"), ("rstrictatime", "relatime"), ("diratime", "nodiratime"), ("rw", "ro")):
    case("files", "mounts " + option, mount(bind("rbind", option)), sh("grep ' /tmp/m ' /proc/self/mountinfo | cut -d- -f1"), lambda out, no=no: out if re.search(rf"[ ,]{no}[ ,\n]", out) else None)
for option, tag in (("rshared", "shared:"), ("rprivate", None), ("runbindable", "unbindable"), ("private", None)):
    case("files", "mounts " + option, mount({"destination": "/tmp/m", "type": "tmpfs", "source": "t", "options": [option]}), sh("grep ' /tmp/m ' /proc/self/mountinfo"),
         (lambda out, tag=tag: None if tag in out else out) if tag else (lambda out: out if "shared:" in out or "master:" in out else None))
case("files", "mounts rslave", mount(bind("rbind", "rslave")), sh("grep ' /tmp/m ' /proc/self/mountinfo"), lambda out: out if "shared:" in out else None)
# Each option of the table in config.md, on a tree with another mount in it: what the first has, and the second (the recursive ones). "-" in front: not.
tree = work + "/tree"; os.makedirs(tree + "/below")
def option_case(option, words, below=None):
    def ask(c):
        subprocess.run(["mount", "-t", "tmpfs", "t", tree + "/below"], check=True)
        c["mounts"].append({"destination": "/tmp/m", "type": "none", "source": tree, "options": ["rbind", *option.split()]})
    def says(out):
        lines = [line.split(" - ")[0].split() for line in out.splitlines()]
        if len(lines) != 2: return out
        for line, want in zip(lines, (words, below or "")):
            got = set(line[5].split(",") + [w.split(":")[0] for w in line[6:]])
            for word in want.split():
                if (word.lstrip("-") in got) == word.startswith("-"): return f"{line[4]}: {word}: {sorted(got)}"
    case("options", "mounts " + option, ask, sh("grep ' /tmp/m' /proc/self/mountinfo"), says)
for r in ("", "r"):
    for on, off in (("ro", "rw"), ("nosuid", "suid"), ("nodev", "dev"), ("noexec", "exec"), ("nodiratime", "diratime"), ("nosymfollow", "symfollow")):
        option_case(r + on, on, on if r else "-" + on)
        option_case(f"{r}{on} {r}{off}", "-" + on, "-" + on) # the later one counts
        option_case(f"{r}{off} {r}{on}", on, on if r else "-" + on)
    for option, words in (("noatime", "noatime -relatime"), ("atime", "relatime -noatime"), ("relatime", "relatime"), ("strictatime", "-relatime -noatime"), ("norelatime", "-relatime"), ("nostrictatime", "relatime")):
        option_case(r + option, words, words if r else "relatime")
    option_case(r + "noatime " + r + "strictatime", "-relatime -noatime", "-noatime")
    for option, words in (("shared", "shared"), ("private", "-shared -master"), ("slave", "-shared"), ("unbindable", "unbindable")):
        option_case(r + option, words, words if r else "-shared")
for option in "defaults async loud silent nomand mand nolazytime lazytime noiversion iversion sync dirsync".split(): # of the file system, which a bind shares
    option_case(option, "rw relatime", "rw relatime")
for option, word in (("sync", "sync"), ("dirsync", "dirsync"), ("lazytime", "lazytime"), ("mand", "mand")):
    case("options", f"mounts tmpfs {option}", mount({"destination": "/tmp/m", "type": "tmpfs", "source": "t", "options": [option]}), sh("grep ' /tmp/m ' /proc/self/mountinfo | sed 's/.* - //'"), rf"[ ,]{word}[,\n]")
on_tmp = {"destination": "/tmp/m", "type": "tmpfs", "source": "t", "options": ["size=64k", "nodev"]}
def again(kind, *options, destination="/tmp/m"): return {"destination": destination, "type": kind, "source": "t", "options": ["remount", *options]}
tmp_m = sh("grep ' /tmp/m' /proc/self/mountinfo | cut -d' ' -f6-")
case("options", "mounts remount", mount(on_tmp, again("none", "ro", "nosuid")), tmp_m, r"^ro,nosuid,nodev,relatime - tmpfs t rw,size=64k[^\n]*$")
case("options", "mounts remount of a bind", mount({"destination": "/tmp/m", "type": "none", "source": tree, "options": ["bind"]}, again("none", "bind", "ro")), tmp_m, r"^ro,[^\n]*$")
case("options", "mounts remount with the file system's options", mount(on_tmp, again("tmpfs", "size=1024k", "dev")), tmp_m, r"^rw,relatime - tmpfs t rw,size=1024k[^\n]*$")
case("options", "mounts remount where nothing is mounted", mount(again("none", "ro", destination="/tmp")), ["true"], refused=r"^remount /tmp: ")
case("options", "mounts remount with idmap", mount(on_tmp, {**again("none", "idmap"), "uidMappings": MAP, "gidMappings": MAP}), ["true"], refused=r"^mounts\[7\].*idmap")
case("options", "mounts bind: not what is below", mount({"destination": "/tmp/m", "type": "none", "source": tree, "options": ["bind"]}), sh("grep -c ' /tmp/m' /proc/self/mountinfo"), "^1$")
case("files", "mounts tmpcopyup", mount({"destination": "/etc", "type": "tmpfs", "source": "t", "options": ["tmpcopyup"]}), sh("cat /etc/seed; grep -c ' /etc tmpfs' /proc/mounts"), r"^seed\n1")
case("files", "mounts tmpfs size, mode", mount({"destination": "/tmp/m", "type": "tmpfs", "source": "t", "options": ["size=64k", "mode=0711"]}), sh("stat -c %a /tmp/m; grep /tmp/m /proc/mounts"), r"^711\n.*size=64k")
case("files", "mounts idmap", mount({**bind("bind", "idmap"), "uidMappings": [{"containerID": 0, "hostID": 7777, "size": 10}], "gidMappings": [{"containerID": 0, "hostID": 7777, "size": 10}]}), sh("stat -c %u /tmp/m/file"), "^7777$")
case("files", "mounts ridmap", mount({**bind("rbind", "ridmap"), "uidMappings": [{"containerID": 0, "hostID": 7777, "size": 10}], "gidMappings": [{"containerID": 0, "hostID": 7777, "size": 10}]}), sh("stat -c %u /tmp/m/below"), "^7777$")
case("files", "mounts idmap with a user namespace", both(user_ns, mount(bind("bind", "idmap"))), sh("stat -c %u /tmp/m/file"), "^0$")
case("files", "mounts idmap without mappings", mount(bind("bind", "idmap")), ["true"], refused=r"mounts\[6\].*idmap")
def crun_map(option): return both(user_ns, mount(bind("bind", option)))
case("files", "mounts idmap=…", crun_map("idmap=uids=0-100002-10;gids=0-100000-10"), sh("stat -c '%u %g' /tmp/m/file"), "^2 0$")
case("files", "mounts idmap=@…", crun_map("idmap=uids=@0-3-1#@1-9-10;gids=@0-4-10"), sh("stat -c '%u %g' /tmp/m/file"), "^3 4$")
case("files", "mounts ridmap=…", both(user_ns, mount(bind("rbind", "ridmap=uids=0-100002-10;gids=0-100000-10"))), sh("stat -c '%u %g' /tmp/m/below"), "^2 0$")
for words, said in (("idmap=uids=0-100002-10", "both needed"), ("idmap=uids=0-1;gids=0-0-1", "FROM-TO-SIZE"), ("idmap=x", "neither uids"), ("idmap=uids=@70000-0-1;gids=0-0-1", "does not map 70000"), ("idmap=uids=0-0-1,gids=0-0-1", "semicolon")):
    case("files", "mounts " + words, crun_map(words), ["true"], refused=rf"mounts\[6\].*{said}")
def nested(*more): # what an earlier mount covers, by its path in the root and by the one on the host
    root = bundle + "/rootfs"
    return [bind("bind", destination="/tmp/a"), {"destination": "/tmp/a/below", "type": "tmpfs", "source": "t"},
            {"destination": "/tmp/b", "type": "bind", "source": root + "/tmp/a", "options": ["rbind", *more]}]
case("files", "mounts of what earlier ones made", mount(*nested()), sh("cat /tmp/b/file; grep -c ' /tmp/b/below tmpfs' /proc/mounts"), r"^from the host\n1$")
case("files", "mounts of what earlier ones made, in a user namespace", both(user_ns, mount(*nested())), sh("cat /tmp/b/file; grep -c ' /tmp/b/below tmpfs' /proc/mounts"), r"^from the host\n1$")
case("files", "mounts of what earlier ones made, idmap", both(user_ns, mount(*nested("idmap"))), ["true"], refused=r"mounts\[8\].*idmap")
case("files", "mounts of what earlier ones made, out of a link", mount(*nested()[:2], {"destination": "/tmp/c", "type": "bind", "source": bundle + "/rootfs/tmp/a/out", "options": ["bind"]}), sh("cat /tmp/c/seed"), r"^seed$")
case("files", "mounts destination below the root's own path", mount({"destination": bundle + "/rootfs/tmp/m", "type": "tmpfs", "source": "t"}), sh("grep -c ' /tmp/m tmpfs' /proc/mounts"), "^1$")
def read_only_dev(c): [m for m in c["mounts"] if m["destination"] == "/dev"][0]["options"].append("ro")
case("files", "mounts of /dev, ro", both(read_only_dev, put("linux.devices", [{"path": "/dev/mine", "type": "c", "major": 1, "minor": 3}])), sh("touch /dev/x 2>&1; echo >/dev/mine; touch /dev/shm/x && ls /dev/shm"), r"Read-only.*\nx$")
case("files", "mounts in a user namespace, of a process of few descriptors", both(user_ns, mount({"destination": "/tmp", "type": "tmpfs", "source": "t"}, *[bind("bind", "idmap", destination=f"/tmp/m{i}") for i in range(30)]),
     put("process.rlimits", [{"type": "RLIMIT_NOFILE", "soft": 12, "hard": 12}])), sh("stat -c %u /tmp/m29/file; ulimit -n"), "^0\n12$")
case("files", "mounts contradiction", mount(bind("bind", "rshared", "rprivate")), ["true"], refused=r"mounts\[6\]")
case("files", "mounts unknown type", mount({"destination": "/tmp/m", "type": "nonsensefs", "source": "x"}), ["true"], refused="nonsensefs")
case("files", "mounts unknown option", mount({"destination": "/tmp/m", "type": "tmpfs", "source": "x", "options": ["nonsense=1"]}), ["true"], refused="nonsense")
case("files", "mounts destination", mount({"destination": "/proc/x", "type": "tmpfs", "source": "x"}), ["true"], refused="inside /proc")
case("files", "linux.rootfsPropagation shared", put("linux.rootfsPropagation", "shared"), sh("grep ' / / ' /proc/self/mountinfo || grep ' / ' /proc/self/mountinfo"), "shared:")
case("files", "linux.rootfsPropagation rshared", put("linux.rootfsPropagation", "rshared"), sh("grep ' / / ' /proc/self/mountinfo || grep ' / ' /proc/self/mountinfo"), "shared:")
case("files", "linux.rootfsPropagation unbindable", put("linux.rootfsPropagation", "unbindable"), sh("grep ' / ' /proc/self/mountinfo"), "unbindable")
case("files", "linux.maskedPaths", put("linux.maskedPaths", ["/etc/seed", "/tmp"]), sh("cat /etc/seed | wc -c; ls /tmp | wc -l"), r"^0\n0$")
case("files", "linux.readonlyPaths", put("linux.readonlyPaths", ["/etc"]), sh("echo >/etc/new"), "Read-only")
case("files", "linux.devices", put("linux.devices", [{"path": "/dev/mine", "type": "c", "major": 1, "minor": 3, "fileMode": 0o640, "uid": 3, "gid": 4}, {"path": "/dev/pipe", "type": "p"}]),
     sh("stat -c '%a %u %g %t %T' /dev/mine; test -p /dev/pipe && echo fifo"), r"^640 3 4 1 3\nfifo$")
case("files", "linux.devices fileMode with the type", put("linux.devices", [{"path": "/dev/mine", "type": "c", "major": 1, "minor": 3, "fileMode": 0o20640}]), ["stat", "-c", "%a %F", "/dev/mine"], "^640 character")
case("files", "linux.devices fileMode too large", put("linux.devices", [{"path": "/dev/mine", "type": "c", "major": 1, "minor": 3, "fileMode": 0o1200640}]), ["true"], refused=r"linux\.devices\[0\]\.fileMode")
case("files", "linux.devices wildcard", put("linux.devices", [{"path": "/dev/mine", "type": "x"}]), ["true"], refused=r"linux\.devices\[0\]\.type")
case("files", "linux.mountLabel", put("linux.mountLabel", "system_u:object_r:x:s0"), ["true"], refused="context|label")

# ---- the kernel's view of the process
case("kernel", "linux.personality", put("linux.personality", {"domain": "LINUX32"}), ["uname", "-m"], "^i686$")
case("kernel", "linux.personality (exec)", put("linux.personality", {"domain": "LINUX32"}), None, "^i686$", exec_=["uname", "-m"])
case("kernel", "linux.personality.flags", put("linux.personality", {"domain": "LINUX", "flags": ["x"]}), ["true"], refused=r"linux\.personality\.flags")
numa = sh("cat /proc/self/numa_maps | head -1")
case("kernel", "linux.memoryPolicy", put("linux.memoryPolicy", {"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]}), numa, "bind=static:0")
case("kernel", "linux.memoryPolicy (exec)", put("linux.memoryPolicy", {"mode": "MPOL_INTERLEAVE", "nodes": "0"}), None, "interleave:0", exec_=["head", "-1", "/proc/self/numa_maps"])
case("kernel", "linux.memoryPolicy.mode", put("linux.memoryPolicy", {"mode": "MPOL_NONSENSE"}), ["true"], refused=r"linux\.memoryPolicy\.mode")
case("kernel", "linux.memoryPolicy.nodes", put("linux.memoryPolicy", {"mode": "MPOL_BIND", "nodes": "x"}), ["true"], refused=r"linux\.memoryPolicy\.nodes")
case("kernel", "linux.memoryPolicy.nodes (no machine has so many)", put("linux.memoryPolicy", {"mode": "MPOL_BIND", "nodes": "0-9876543210"}), ["true"], refused=r"linux\.memoryPolicy\.nodes")
case("kernel", "linux.memoryPolicy.nodes (backwards)", put("linux.memoryPolicy", {"mode": "MPOL_BIND", "nodes": "3-0"}), ["true"], refused=r"linux\.memoryPolicy\.nodes")
case("kernel", "linux.memoryPolicy.nodes (none such)", put("linux.memoryPolicy", {"mode": "MPOL_BIND", "nodes": "777"}), ["true"], refused=r"linux\.memoryPolicy")
case("kernel", "linux.intelRdt", put("linux.intelRdt", {"closID": "x"}), ["true"], refused=r"linux\.intelRdt")
def filter(**more): return put("linux.seccomp", {"defaultAction": "SCMP_ACT_ALLOW", **more})
def rule(action, name="mkdir", **more): return filter(syscalls=[{"names": [name, name + "at"], "action": action, **more}])
mkdir = sh("mkdir /tmp/made 2>&1; echo $?; rmdir /tmp/made 2>/dev/null; true")
case("kernel", "linux.seccomp ERRNO", rule("SCMP_ACT_ERRNO", errnoRet=28), mkdir, "No space left")
case("kernel", "linux.seccomp KILL", rule("SCMP_ACT_KILL"), mkdir, "(?m)^159$")
case("kernel", "linux.seccomp KILL_PROCESS", rule("SCMP_ACT_KILL_PROCESS"), mkdir, "(?m)^159$")
case("kernel", "linux.seccomp KILL_THREAD", rule("SCMP_ACT_KILL_THREAD"), mkdir, "(?m)^159$")
case("kernel", "linux.seccomp TRAP", rule("SCMP_ACT_TRAP"), mkdir, "(?m)^159$")
case("kernel", "linux.seccomp TRACE", rule("SCMP_ACT_TRACE"), mkdir, "not implemented")
case("kernel", "linux.seccomp LOG", rule("SCMP_ACT_LOG"), mkdir, "(?m)^0$")
for flag in ("TSYNC", "LOG", "SPEC_ALLOW"):
    case("kernel", "linux.seccomp.flags " + flag, both(rule("SCMP_ACT_ERRNO"), put("linux.seccomp.flags", ["SECCOMP_FILTER_FLAG_" + flag])), mkdir, "not permitted")
case("kernel", "linux.seccomp.flags unknown", filter(flags=["SECCOMP_FILTER_FLAG_X"]), ["true"], refused=r"linux\.seccomp\.flags")
case("kernel", "linux.seccomp.architectures", both(rule("SCMP_ACT_ERRNO"), put("linux.seccomp.architectures", ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64"])), mkdir, "not permitted")
case("kernel", "linux.seccomp.architectures unknown", filter(architectures=["SCMP_ARCH_X"]), ["true"], refused=r"linux\.seccomp\.architectures")
case("kernel", "linux.seccomp args", filter(syscalls=[{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 1, "value": 0o700, "op": "SCMP_CMP_EQ"}]}]),
     sh("mkdir -m 0700 /tmp/made 2>&1; rmdir /tmp/made 2>/dev/null; mkdir /tmp/made && echo other; rmdir /tmp/made 2>/dev/null; true"), "other")
case("kernel", "linux.seccomp NOTIFY without listenerPath", rule("SCMP_ACT_NOTIFY"), ["true"], refused=r"linux\.seccomp\.listenerPath")
case("kernel", "linux.seccomp NOTIFY of sendmsg", both(rule("SCMP_ACT_NOTIFY", "sendmsg"), put("linux.seccomp.listenerPath", "/x")), ["true"], refused=r"linux\.seccomp\.syscalls\[0\]")
case("kernel", "linux.seccomp.defaultAction NOTIFY", put("linux.seccomp", {"defaultAction": "SCMP_ACT_NOTIFY", "listenerPath": "/x"}), ["true"], refused=r"linux\.seccomp\.defaultAction")
case("kernel", "linux.seccomp.listenerPath nobody there", both(rule("SCMP_ACT_NOTIFY"), put("linux.seccomp.listenerPath", "/no/such")), ["true"], refused=r"linux\.seccomp\.listenerPath")
case("kernel", "linux.seccomp.listenerMetadata", filter(listenerMetadata="x"), ["true"], refused=r"linux\.seccomp\.listenerMetadata")

# ---- resources: what stands in the group's files on the host
def res(name, value, *look):
    """A limit that its file shows, or whose controller is named as missing."""
    if has(look[0]): case("resources", "linux.resources." + name, put("linux.resources." + name, value), host=limit(*look))
    else: case("resources", "linux.resources." + name, put("linux.resources." + name, value), ["true"], refused=r"linux\.resources: .*has no")
M = 1 << 20
res("memory.limit", 64 * M, "memory", "memory.limit_in_bytes", "memory.max", "^67108864$")
res("memory.reservation", 32 * M, "memory", "memory.soft_limit_in_bytes", "memory.low", "^33554432$")
case("resources", "linux.resources.memory.swap", put("linux.resources.memory", {"limit": 64 * M, "swap": 128 * M}), host=limit("memory", "memory.memsw.limit_in_bytes", "memory.swap.max", "^(134217728|67108864)$"))
if not V2:
    res("memory.swappiness", 30, "memory", "memory.swappiness", "-", "^30$")
    res("memory.disableOOMKiller", True, "memory", "memory.oom_control", "-", "oom_kill_disable 1")
for field, value, file, text in (("classID", 0x100001, "net_cls.classid", "^1048577$"), ("priorities", [{"name": "lo", "priority": 5}], "net_prio.ifpriomap", "lo 5")):
    if os.path.exists("/sys/fs/cgroup/net_cls,net_prio"):
        res("network." + field, value, "net_cls,net_prio", file, "-", text)
    else:
        case("resources", "linux.resources.network." + field, put("linux.resources.network." + field, value), ["true"], refused=r"linux\.resources: network")
res("cpu.shares", 512, "cpu,cpuacct", "cpu.shares", "cpu.weight", "^(512|59)$")
case("resources", "linux.resources.cpu.quota", put("linux.resources.cpu", {"quota": 20000, "period": 50000}), host=limit("cpu,cpuacct", "cpu.cfs_quota_us", "cpu.max", "^20000( 50000)?$"))
case("resources", "linux.resources.cpu.burst", put("linux.resources.cpu", {"quota": 20000, "period": 50000, "burst": 1000}), host=limit("cpu,cpuacct", "cpu.cfs_burst_us", "cpu.max.burst", "^1000$"))
res("cpu.idle", 1, "cpu,cpuacct", "cpu.idle", "cpu.idle", "^1$")
res("cpu.cpus", "0", "cpuset", "cpuset.cpus", "cpuset.cpus", "^0$")
res("cpu.mems", "0", "cpuset", "cpuset.mems", "cpuset.mems", "^0$")
res("pids.limit", 99, "pids", "pids.max", "pids.max", "^99$")
res("hugepageLimits", [{"pageSize": "2MB", "limit": 4 * M}], "hugetlb", "hugetlb.2MB.limit_in_bytes", "hugetlb.2MB.max", "^4194304$")
res("hugepageLimits", [{"pageSize": "2MB", "limit": 4 * M}], "hugetlb", "hugetlb.2MB.rsvd.limit_in_bytes", "hugetlb.2MB.rsvd.max", "^4194304$")
case("resources", "linux.resources.hugepageLimits size", put("linux.resources.hugepageLimits", [{"pageSize": "3MB", "limit": 1}]), ["true"], refused="3MB")
bystander = subprocess.Popen(["sleep", "1000"]) # a process of the host's
atexit.register(bystander.kill)
def stays_out(out):
    try: inside = open(f"{WHERE.get('-')}{cgroup}/cgroup.procs").read().split()
    except OSError: return None
    return "a process of the host is in the container" if str(bystander.pid) in inside else None
for file in ("cgroup.procs", "cgroup.threads"):
    case("resources", f"linux.resources.unified {file}", put("linux.resources.unified", {file: str(bystander.pid)}), ["true"], refused=rf"unified {file}")
case("resources", "linux.resources.unified cgroup.max.depth", put("linux.resources.unified", {"cgroup.max.depth": "5"}), host=limit("-", "-", "cgroup.max.depth", "^5$"))
case("resources", "linux.resources.unified ..", put("linux.resources.unified", {"../cgroup.max.depth": "5"}), ["true"], refused=r"linux\.resources")
res("blockIO.weight", 500, "blkio,io", "blkio.bfq.weight", "io.bfq.weight", "500")
if os.path.exists("/dev/vda"):
    number = os.stat("/dev/vda").st_rdev
    for field, v1, key in (("throttleReadBpsDevice", "read_bps", "rbps"), ("throttleWriteBpsDevice", "write_bps", "wbps"), ("throttleReadIOPSDevice", "read_iops", "riops"), ("throttleWriteIOPSDevice", "write_iops", "wiops")):
        rate = [{"major": os.major(number), "minor": os.minor(number), "rate": 12345678}]
        res("blockIO." + field, rate, "blkio,io", f"blkio.throttle.{v1}_device", "io.max", r"(?m)^\d+:\d+ (.*" + key + "=)?12345678")
case("resources", "linux.resources.blockIO.leafWeight", put("linux.resources.blockIO.leafWeight", 300), ["true"], refused="leaf weight of block I/O")
res("cpu.period", 50000, "cpu,cpuacct", "cpu.cfs_period_us", "cpu.max", "(^| )50000$")
if "cpu" in WHERE and os.path.exists(WHERE["cpu"] + "/cpu.rt_runtime_us"):
    res("cpu.realtimeRuntime", 1000, "cpu", "cpu.rt_runtime_us", "-", "^1000$")
    res("cpu.realtimePeriod", 500000, "cpu", "cpu.rt_period_us", "-", "^500000$")
if "memory" in WHERE: res("memory.kernelTCP", 64 * M, "memory", "memory.kmem.tcp.limit_in_bytes", "-", "^67108864$")
case("resources", "linux.resources.memory.kernel", put("linux.resources.memory.kernel", 64 * M), ["true"], refused="kernel memory limit")
res("memory.kernel", -1, "memory", "memory.limit_in_bytes", "memory.max", "^(9223372036854771712|max)$")
res("memory.useHierarchy", True, "memory", "memory.use_hierarchy", "memory.max", "^(1|max)$")
for file, value in (("pids.max", "77"), ("memory.high", "8388608"), ("hugetlb.2MB.max", "4194304")):
    case("resources", "linux.resources.unified " + file, put("linux.resources.unified", {file: value}),
         *((None, None, None, None, limit("-", "-", file, f"^{value}$")) if file.split(".")[0] in UNIFIED else (["true"], None, r"unified")))
case("resources", "linux.resources.unified none such", put("linux.resources.unified", {"nonsense.max": "1"}), ["true"], refused=r"unified nonsense\.max")
case("resources", "linux.resources.unified misc.max none such", put("linux.resources.unified", {"misc.max": "nonsense 1"}), ["true"], refused=r"unified misc\.max")
case("resources", "linux.resources.devices", put("linux.resources.devices", [{"allow": False, "access": "rwm"}]), sh("mknod /tmp/sda b 8 0; cat /tmp/sda 2>&1; rm /tmp/sda; cat /dev/null && echo null"), r"not permitted\nnull")
case("resources", "linux.cgroupsPath", lambda c: None, None, host=lambda: None if any(os.path.isdir(p + cgroup) for p in ("/sys/fs/cgroup/pids", "/sys/fs/cgroup")) else "no group")
rdma = glob.glob("/sys/class/infiniband/*")
case("resources", "linux.resources.rdma none such", put("linux.resources.rdma", {"nonsense_1": {"hcaHandles": 3}}), ["true"], refused="RDMA limit")
if rdma:
    name = os.path.basename(rdma[0])
    res("rdma", {name: {"hcaHandles": 3, "hcaObjects": 100}}, "rdma", "rdma.max", "rdma.max", f"{name} hca_handle=3 hca_object=100")

# ---- sentences of the specification (config.md, config-linux.md, runtime-linux.md) that no field's line above shows
def drop(path):
    def change(c):
        *way, last = path.split(".")
        for w in way: c = c[w]
        del c[last]
    return change
ALLOWED = [n for r in json.load(open(os.path.dirname(os.path.abspath(__file__)) + "/../../src/data/seccomp-default.json"))["syscalls"] if r["action"] == "SCMP_ACT_ALLOW" for n in r["names"] if not n.startswith("mkdir")]
def rule_case(*a, **more): case("rules", *a, **more)
for version, taken in (("1.0.0", True), ("1.0.2-dev", True), ("1.9.0+x.1", True), ("1", False), ("1.0", False), ("v1.0.0", False), ("nonsense", False), ("2.0.0", False), ("0.9.0", False), ("1.0.0-", False), ("01.0.0", False)):
    rule_case(f"ociVersion {version}", put("ociVersion", version), ["true"], *(("",) if taken else (None, "^ociVersion: ")))
rule_case("an unknown property is passed over", both(put("nonsense", {"x": 1}), put("linux.nonsense", [1]), put("process.nonsense", "x")), ["echo", "ran"], "^ran$")
rule_case("root is needed", drop("root"), ["true"], refused=r"^root")
rule_case("root.path has to be a directory", put("root.path", "/no/such"), ["true"], refused=r"/no/such")
rule_case("mounts in their order", mount({"destination": "/tmp", "type": "tmpfs", "source": "t"}, {"destination": "/tmp/below", "type": "tmpfs", "source": "t"}), ["grep", "-c", " /tmp", "/proc/mounts"], "^2$")
rule_case("mounts.destination is relative to /", mount({"destination": "tmp", "type": "tmpfs", "source": "t"}), ["grep", " /tmp ", "/proc/mounts"], "tmpfs")
rule_case("mounts.uidMappings without gidMappings", mount({**bind("bind", "idmap"), "uidMappings": MAP}), ["true"], refused=r"mounts\[6\]")
rule_case("process.consoleSize without a terminal", put("process.consoleSize", {"height": 7, "width": 9}), ["echo", "ran"], "^ran$")
rule_case("process.rlimits twice", put("process.rlimits", [{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}] * 2), ["true"], refused=r"process\.rlimits\[1\]")
rule_case("process.rlimits soft above hard", put("process.rlimits", [{"type": "RLIMIT_CORE", "soft": 2, "hard": 1}]), ["true"], refused=r"process\.rlimits|RLIMIT_CORE")
rule_case("process.oomScoreAdj unset: the caller's", lambda c: c["process"].pop("oomScoreAdj", None), ["cat", "/proc/self/oom_score_adj"], "^" + open("/proc/self/oom_score_adj").read().strip() + "$")
rule_case("process.user.umask unset: the caller's", lambda c: None, sh("umask"), "^0022$")
for name, hook, why in (("relative", {"path": "bin/true"}, "path"), ("timeout 0", {"path": "/bin/true", "timeout": 0}, "timeout"), ("not there", {"path": "/no/such"}, "/no/such")):
    for at in ("prestart", "createRuntime", "createContainer", "startContainer"):
        rule_case(f"hooks.{at} {name}", put(f"hooks.{at}", [hook]), ["true"], refused=rf"hooks\.{at}\[0\].*{why}")
rule_case("linux.namespaces relative path", both(without("ipc"), add_ns(type="ipc", path="proc/self/ns/ipc")), ["true"], refused=r"linux\.namespaces\[5\].*absolute")
rule_case("linux.namespaces path of another type", both(without("ipc"), add_ns(type="ipc", path="/proc/self/ns/uts")), ["true"], refused=r"linux\.namespaces\[5\]|ipc")
rule_case("linux.namespaces path of no namespace", both(without("ipc"), add_ns(type="ipc", path="/etc/passwd")), ["true"], refused=r"linux\.namespaces\[5\]|/etc/passwd")
rule_case("linux.devices where something else is", both(put("linux.devices", [{"path": "/etc/seed", "type": "c", "major": 1, "minor": 3}]), put("root.readonly", False)), ["true"], refused=r"linux\.devices\[0\]|/etc/seed")
rule_case("linux.devices where the very device is", put("linux.devices", [{"path": "/dev/null", "type": "c", "major": 1, "minor": 3}]), ["echo", "ran"], "^ran$")
dev = sh("cd /dev; for n in null zero full random urandom tty; do test -c $n || echo no $n; done; for l in fd stdin stdout stderr ptmx; do test -L $l || echo no link $l; done; echo seen")
rule_case("default devices and links", lambda c: None, dev, "^seen$")
rule_case("default devices and links without a mount on /dev", both(lambda c: c.__setitem__("mounts", [m for m in c["mounts"] if not m["destination"].startswith("/dev")]), put("root.readonly", False)), dev, lambda out: None if out in ("seen\n", "no link ptmx\nseen\n") else out)
rule_case("linux.cgroupsPath is the place it names", lambda c: None, None, host=lambda: None if os.path.isdir("/sys/fs/cgroup/pids" + cgroup) or V2 and os.path.isdir("/sys/fs/cgroup" + cgroup) else "it is not")
rule_case("linux.resources.pids.limit 0 is a limit", put("linux.resources.pids", {"limit": 0}), None, host=limit("pids", "pids.max", "pids.max", "^0$"))
rule_case("linux.resources.pids.limit -1 is none", put("linux.resources.pids", {"limit": -1}), None, host=limit("pids", "pids.max", "pids.max", "^max$"))
rule_case("linux.resources.blockIO.weightDevice without a weight", put("linux.resources.blockIO", {"weightDevice": [{"major": 8, "minor": 0}]}), ["true"], refused=r"linux\.resources.*(weight|blockIO)")
rule_case("linux.resources.rdma without a limit", put("linux.resources.rdma", {"mlx5_1": {}}), ["true"], refused=r"linux\.resources.*rdma")
rule_case("linux.resources.unified of an unknown controller", put("linux.resources.unified", {"nonsense.max": "1"}), ["true"], refused=r"unified|nonsense")
rule_case("linux.seccomp.defaultErrnoRet of an action without", filter(syscalls=[], defaultErrnoRet=5), ["true"], refused=r"linux\.seccomp\.defaultErrnoRet")
rule_case("linux.seccomp.defaultErrnoRet", put("linux.seccomp", {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 28, "syscalls": [{"names": ALLOWED, "action": "SCMP_ACT_ALLOW"}]}), mkdir, "No space left")
for action in ("ALLOW", "KILL", "KILL_PROCESS", "KILL_THREAD", "TRAP", "LOG"):
    rule_case(f"linux.seccomp errnoRet of {action}", rule("SCMP_ACT_" + action, errnoRet=5), ["true"], refused=r"linux\.seccomp\.syscalls\[0\]\.errnoRet")
rule_case("linux.seccomp.syscalls without names", filter(syscalls=[{"names": [], "action": "SCMP_ACT_ALLOW"}]), ["true"], refused=r"linux\.seccomp\.syscalls\[0\]\.names")
for field, value in (("uid", 4294967295), ("gid", 4294967295), ("umask", 0o1000)): # -1 is the kernel's "as it is": root's
    rule_case(f"process.user.{field} {value}", put("process.user", {"uid": 0, "gid": 0, field: value}), ["id"], refused=rf"^process\.user\.{field}")
rule_case("process.user.uid 4294967294", put("process.user", {"uid": 4294967294, "gid": 4294967294}), sh("id -u; id -g"), r"^4294967294\n4294967294$")
rule_case("process.ioPriority.priority 8", put("process.ioPriority", {"class": "IOPRIO_CLASS_BE", "priority": 8}), ["true"], refused=r"^process\.ioPriority\.priority")
rule_case("process.scheduler.nice 20", put("process.scheduler", {"policy": "SCHED_OTHER", "nice": 20}), ["true"], refused=r"^process\.scheduler\.nice")
for field, value in (("initial", "0-"), ("final", "1-0"), ("final", "99999999999")):
    rule_case(f"process.execCPUAffinity.{field} {value}", put("process.execCPUAffinity", {field: value}), ["true"], refused=rf"^process\.execCPUAffinity\.{field}")
for number in ({"major": 4294967297, "minor": 3}, {"major": -1, "minor": 3}, {"major": 1, "minor": -1}, {"major": 1, "minor": 4294967299}, {"major": 4096, "minor": 3}, {"major": 1, "minor": 1 << 20}, {"major": 2**63 - 1, "minor": 3}, {}):
    rule_case(f"linux.devices {number}", put("linux.devices", [{"path": "/dev/mine", "type": "c", **number}]), ["stat", "-c", "%t:%T", "/dev/mine"], refused=r"^linux\.devices\[0\]")
for who in ("uid", "gid"):
    rule_case(f"linux.devices {who} 4294967295", put("linux.devices", [{"path": "/dev/mine", "type": "c", "major": 1, "minor": 3, who: 4294967295}]), ["true"], refused=rf"^linux\.devices\[0\].*{who}")
rule_case("linux.devices where another device is", put("linux.devices", [{"path": "/dev/m", "type": "c", "major": 1, "minor": 3}, {"path": "/dev/m", "type": "c", "major": 1, "minor": 5}]), ["true"], refused=r"/dev/m")
for what, part in (({"type": "q"}, "type"), ({"access": "x"}, "access"), ({"major": -2}, "major"), ({"minor": 2**63 - 1}, "minor"), ({"major": 4096}, "major")):
    rule_case(f"linux.resources.devices {what}", put("linux.resources.devices", [{"allow": False}, {"allow": True, "type": "c", "major": 10, "minor": 1, "access": "r", **what}]), ["true"], refused=rf"^linux\.resources\.devices\[1\].*{part}")
can_open = sh("for n in 200 229; do mknod /tmp/d c 10 $n; (: </tmp/d) 2>&1 | grep -c 'not permitted'; rm -f /tmp/d; done")
in_order = put("linux.resources.devices", [{"allow": False}, {"allow": True, "type": "c", "major": 10, "access": "rwm"}, {"allow": False, "type": "c", "major": 10, "minor": 200}])
if "devices" in WHERE: rule_case("linux.resources.devices in their order (not in version 1)", in_order, ["true"], refused=r'device rules: version 1.*\\"c 10:200 rwm\\" out of \\"c 10:\* rwm')
else: rule_case("linux.resources.devices in their order", in_order, can_open, r"^1\n0$")
rule_case("linux.resources.devices allowed, and taken back", put("linux.resources.devices", [{"allow": False}, {"allow": True, "type": "c", "major": 10, "minor": 200}, {"allow": True, "type": "c", "major": 10, "minor": 229}, {"allow": False, "major": 10, "minor": 200, "access": "r"}]), can_open, r"^1\n0$")
rule_case("linux.resources.devices: what no rule is about is denied", put("linux.resources.devices", [{"allow": True, "type": "c", "major": 10, "minor": 229}]), can_open, r"^1\n0$")
rule_case("linux.resources.devices, everything but one", put("linux.resources.devices", [{"allow": True}, {"allow": False, "type": "c", "major": 10, "minor": 200, "access": "r"}]), can_open, r"^1\n0$")
rule_case("linux.resources.devices, the last rule for everything counts", put("linux.resources.devices", [{"allow": True, "type": "c", "major": 10}, {"allow": False, "access": "rwm"}]), can_open, r"^1\n1$")
for part, value in (("memory.limit", -2), ("memory.reservation", -2), ("memory.swap", -2), ("memory.kernelTCP", -2), ("memory.swappiness", 101), ("pids.limit", -2)):
    rule_case(f"linux.resources.{part} {value}", put("linux.resources." + part, value), ["true"], refused=rf"^linux\.resources\.{part}")
rule_case("annotations: an empty key", put("annotations", {"": "v"}), ["true"], refused="^annotations")
rule_case("root.path without a mount namespace is the host's", both(without("mount"), put("mounts", []), drop("linux.maskedPaths"), drop("linux.readonlyPaths")), ["ls", "/"], refused=r"^root\.path: needs a mount namespace")
for kind in ("tmpfs", "proc"):
    rule_case(f"mounts idmap of a {kind}", mount({"destination": "/tmp/m", "type": kind, "source": "x", "options": ["idmap"], "uidMappings": MAP, "gidMappings": MAP}), ["true"], refused=r"^mounts\[6\].*idmap")
def raw(change): return lambda c: c.__setitem__("RAW", change)
for name, change, why in (("overlong UTF-8", lambda t: t.replace(b'"MARK"', b'"\xc0\xaf"'), "utf-8"), ("half a pair in UTF-8", lambda t: t.replace(b'"MARK"', b'"\xed\xa0\x80"'), "utf-8"), ("bytes that are no UTF-8", lambda t: t.replace(b'"MARK"', b'"\xff"'), "utf-8"),
                          ("beyond Unicode", lambda t: t.replace(b'"MARK"', b'"\xf4\x90\x80\x80"'), "utf-8"), ("NUL in a string", lambda t: t.replace(b'"MARK"', b'"a\\u0000b"'), "NUL"), ("NUL in a key", lambda t: t.replace(b'"MARK": ', b'"hostname\\u0000x": "h", "MARK": '), "NUL"),
                          ("NaN", lambda t: t.replace(b'"MARK"', b'NaN'), "not JSON"), ("-Infinity", lambda t: t.replace(b'"MARK"', b'-Infinity'), "not JSON"), ("a second document", lambda t: t + b"{}", "not JSON"), ("a NUL at the end", lambda t: t + b"\0", "not JSON"),
                          ("a byte order mark", lambda t: b"\xef\xbb\xbf" + t, "not JSON"), ("no object", lambda t: b"[]", "object"), ("nothing", lambda t: b"", "not JSON")):
    rule_case("config.json: " + name, both(put("annotations", {"k": "MARK"}), put("MARK", "x"), raw(change)), ["true"], refused=why)
rule_case("config.json: of a key that is there twice the last one counts", raw(lambda t: t.rstrip()[:-1] + b', "annotations": {"k": "last"}, "hostname": "second"}'), ["hostname"], "^second$")
rule_case("config.json: other members are passed over, whatever they hold", put("x", {"a": [1.5e300, -0.0, "\u2028", None, 2**64 - 1, -2**63]}), ["echo", "ran"], "^ran$")
rule_case("linux.maskedPaths relative", put("linux.maskedPaths", ["etc/seed"]), ["true"], refused=r"linux\.maskedPaths\[0\]")
rule_case("linux.readonlyPaths relative", put("linux.readonlyPaths", ["etc"]), ["true"], refused=r"linux\.readonlyPaths\[0\]")
rule_case("linux.maskedPaths not there", put("linux.maskedPaths", ["/no/such"]), ["echo", "ran"], "^ran$")
rule_case("linux.sysctl in the host's namespace", both(without("network"), put("linux.sysctl", {"net.ipv4.ip_forward": "1"})), ["true"], refused=r"linux\.sysctl")
host_files = both(without("mount"), put("mounts", []), put("root.path", "/"), drop("linux.maskedPaths"), drop("linux.readonlyPaths"))
rule_case("without a mount namespace: the host's files", host_files, ["ls", "/proc/self/ns/mnt"], "mnt")
for field, value in (("mounts", [{"destination": "/tmp", "type": "tmpfs", "source": "t"}]), ("root.readonly", True), ("linux.maskedPaths", ["/x"]), ("linux.readonlyPaths", ["/x"]), ("linux.devices", [{"path": "/dev/x", "type": "p"}]), ("linux.rootfsPropagation", "slave")):
    rule_case(f"{field} without a mount namespace", both(host_files, put(field, value)), ["true"], refused=f"^{re.escape(field)}: needs a mount namespace")
rule_case("without linux", drop("linux"), ["true"], refused="linux")
rule_case("without process", drop("process"), ["true"], refused="process")

def call(*args, **more): return subprocess.run([tare, "oci", "--root", work + "/run", *args], capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL, **more)
def state(): return call("state", "c").stdout

def try_case(field, change, command, says, refused, exec_, host):
    c = copy.deepcopy(base)
    c["process"]["args"] = command or ["sleep", "100"]
    if field == "process.args": c["process"]["args"] = []
    change(c)
    as_it_is = c.pop("RAW", lambda text: text)
    open(work + "/config.json", "wb").write(as_it_is(json.dumps(c).encode()))
    if command or refused:
        r = call("run", "-b", work, "c")
        if refused:
            if r.returncode == 0: return "was accepted"
            message = re.search(r'msg="(.*)"$', r.stderr.strip())
            return None if message and re.search(refused, message.group(1)) else f"refused with {r.stderr!r}"
        out = r.stdout + r.stderr
    else:
        log = open(work + "/out", "w+")
        r = subprocess.run([tare, "oci", "--root", work + "/run", "run", "-d", "-b", work, "c"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=120)
        said = open(work + "/out").read()
        if "realtime" in field and "more than the group above has to give" in said: return None # others on this host have it
        if r.returncode != 0: return said
        out = ""
        if exec_: out = call("exec", "c", *exec_).stdout
        if host and "sleep" not in call("ps", "c").stdout: return "does not run"
        if host:
            wrong = host()
            if wrong: return wrong
    if says is None: return None
    if callable(says): return says(out)
    return None if re.search(says, out.strip("\n") if "^" in says or "$" in says else out) else f"showed {out!r}"

def main():
    failed = n = 0
    os.makedirs(bundle + "/rootfs/etc", exist_ok=True)
    for one in groups[group]:
        if only and one[0] not in only: continue
        open(bundle + "/rootfs/etc/seed", "w").write("seed\n")
        wrong = try_case(*one)
        call("delete", "--force", "c")
        subprocess.run(["umount", "-q", tree + "/below"])
        n += 1
        if wrong:
            failed += 1
            print(f"{one[0]}: {wrong}")
    print(f"{n} fields of {group}, {failed} wrong")
    subprocess.run(["rm", "-rf", work])
    sys.exit(failed > 0)
main()
