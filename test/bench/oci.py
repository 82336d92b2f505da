"""Part `oci`: `tare oci` on a bundle beside the floor, runc and crun, in turns; memory; the least limit of memory in which `true` runs.

The bundle is that of `tare oci spec`, whose program is busybox's `true`. Times by the clock are medians; what else the machine does falls on
all, since they run in turns. Processor time (getrusage of all that was waited for) says the same on a machine that others use.
"""
import json
import os
import shutil
import statistics
import subprocess

ROUNDS = 3
# crun refuses a hybrid layout of control groups: it sees the one without the second hierarchy.
NO_HYBRID = ["unshare", "-m", "sh", "-c", 'umount /sys/fs/cgroup/unified 2>/dev/null; exec "$@"', "sh"]


class Runtimes:
    def __init__(self, bench):
        self.bench, self.folder = bench, bench.top + "/oci"
        os.mkdir(self.folder)
        self.root = bench.top + "/run/oci" # on the tmpfs, as /run is
        subprocess.run([bench.tare_program, "oci", "spec", "-b", self.folder], check=True)
        with open(self.folder + "/config.json") as file:
            config = json.load(file)
        config["ociVersion"] = "1.0.2" # Debian's crun knows no later one
        config["process"]["args"], config["process"]["terminal"] = ["/bin/true"], False
        if not any(namespace["type"] == "cgroup" for namespace in config["linux"]["namespaces"]):
            config["linux"]["namespaces"].append({"type": "cgroup"})
        config["mounts"] = [mount for mount in config["mounts"] if mount["type"] != "cgroup"]
        config["root"] = {"path": bench.fixtures + "/busybox", "readonly": True}
        config["linux"]["cgroupsPath"] = f"/tare-bench-oci-{os.getpid()}"
        self.config = config
        self.write()
        self.programs = {"tare": [bench.tare_program + "-oci"]}
        self.programs.update({name: [shutil.which(name)] for name in ("crun", "runc") if shutil.which(name)})

    def write(self):
        with open(self.folder + "/config.json", "w") as file:
            json.dump(self.config, file)

    def words(self, name, verb, *more):
        return [*self.programs[name], "--root", f"{self.root}-{name}", verb, *more]

    def run(self, name):
        return self.words(name, "run", "-b", self.folder, "one")

    def three(self, name):
        return [*self.words(name, "create", "-b", self.folder, "one"), "+", *self.words(name, "start", "one"), "+", *self.words(name, "delete", "one")]

    def floor(self):
        return [self.bench.top + "/floor.bin", "run", self.bench.fixtures + "/busybox", self.bench.top + "/floor", "-r", "/bin/true"]


def in_turns(runtimes, commands, runs):
    """Of each name's command: the median of the rounds' medians, of their processor times, the largest process of all."""
    rounds = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, words in commands.items():
            rounds[name].append(runtimes.bench.measure(words, runs // ROUNDS, within=NO_HYBRID if name == "crun" else ()))
    return {name: {"median": statistics.median(one["median"] for one in all), "processor": statistics.median(one["processor"] for one in all),
                   "rss_kib": max(one["rss_kib"] for one in all)} for name, all in rounds.items()}


def compare(runtimes, row, what, commands, runs):
    seen = in_turns(runtimes, commands, runs)
    for key, label in (("median", ""), ("processor", ", processor time")):
        row(what + label, seen["tare"][key], seen["floor"][key], more=f"load {os.getloadavg()[0]:.1f}")
        for name in ("crun", "runc"):
            if name in seen:
                row(f"    {name}", seen[name][key], seen["floor"][key], more=f"tare is {seen[name][key] / seen['tare'][key]:.1f} x as fast")
    return seen


def least_memory(runtimes, name):
    """The least limit in KiB, in steps of 64, in which five runs of `true` all succeed; None: not in 16 MiB."""
    within = NO_HYBRID if name == "crun" else []
    for kib in [*range(128, 1024, 64), 1024, 2048, 4096, 6144, 8192, 16384]:
        runtimes.config["linux"]["resources"]["memory"] = {"limit": kib << 10}
        runtimes.write()
        if all(subprocess.run([*within, *runtimes.run(name)], capture_output=True, stdin=subprocess.DEVNULL).returncode == 0 for _ in range(5)):
            return kib
        subprocess.run([*within, *runtimes.words(name, "delete", "--force", "one")], capture_output=True)
    return None


def part(bench, row, quick):
    runtimes = Runtimes(bench)
    floor, nothing = runtimes.floor(), ["+", bench.top + "/floor.bin", "nothing"]
    seen = compare(runtimes, row, "oci run of true on a bundle", {"floor": floor, **{name: runtimes.run(name) for name in runtimes.programs}}, 90)
    # The floor of three commands: all the work in one, and two that do nothing.
    compare(runtimes, row, "oci create, start, delete", {"floor": floor + nothing * 2, **{name: runtimes.three(name) for name in runtimes.programs}}, 60)
    row("largest process of oci run (ru_maxrss)", seen["tare"]["rss_kib"], seen["floor"]["rss_kib"], "KiB",
        ", ".join(f"{name} {seen[name]['rss_kib']:.0f}" for name in ("crun", "runc") if name in seen))
    least = {name: least_memory(runtimes, name) for name in runtimes.programs}
    row("least memory.limit in which true runs", least.pop("tare") or 0, 0, "KiB", ", ".join(f"{name} {kib or 'none to 16384'}" for name, kib in least.items()))
