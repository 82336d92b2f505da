"""Part `shim`: containerd-shim-tare-v2 beside containerd-shim-runc-v2, under one containerd with roots of its own. DENSITY=1000 sets how
many containers run at once at the end (100), with a shim each and then all in one pod, started and taken away 8 at a time; of runc's at
most 50. DENSE=1 measures these only."""
import concurrent.futures
import os
import re
import shutil
import statistics
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../tool")
import containerd

KINDS = {"tare": "containerd-shim-tare-v2", "runc": "containerd-shim-runc-v2"}


class Containerd(containerd.Containerd):
    def __init__(self, bench):
        super().__init__(bench.top, f"tare-bench-{os.getpid()}", os.path.dirname(bench.tare_program), bench.fixtures + "/busybox.docker.tar")

    def many(self, call, count):
        """Seconds until all of it is done, 8 at a time."""
        started = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for done in [pool.submit(call, i) for i in range(count)]:
                done.result()
        return time.monotonic() - started

    def start_many(self, kind, count, pod):
        """The first of a pod goes before: it starts the shim."""
        words = ["-d", "--null-io", *(["--annotation", f"io.kubernetes.cri.sandbox-id={kind}-0"] if pod else []), self.image]
        first = self.many(lambda i: self.run(kind, *words, f"{kind}-{i}", "sleep", "100000"), 1)
        return first + self.many(lambda i: self.run(kind, *words, f"{kind}-{i + 1}", "sleep", "100000"), count - 1)

    def remove_many(self, kind, count):
        def remove(i):
            self.ctr("task", "rm", "-f", f"{kind}-{i}")
            self.ctr("container", "rm", f"{kind}-{i}")

        return self.many(remove, count)

    def shims(self, kind):
        """The Pss in KiB of each shim."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline") as line:
                    words = line.read().split("\0")
                if os.path.basename(words[0]) == KINDS[kind] and self.space in words:
                    with open(f"/proc/{pid}/smaps_rollup") as file:
                        found.append(int(re.search(r"^Pss:\s+(\d+)", file.read(), re.M).group(1)))
            except OSError:
                continue
        return found


def took_ms(call):
    started = time.monotonic()
    call()
    return (time.monotonic() - started) * 1e3


def alternately(runs, call):
    """Medians; what else the machine does falls on both."""
    times = {kind: [] for kind in KINDS}
    for i in range(runs):
        for kind in KINDS:
            times[kind].append(took_ms(lambda: call(kind, i)))
    return {kind: statistics.median(all) for kind, all in times.items()}


def dense(c, row, count, pod):
    """Many at once; the memory of runc's is that of a sample, which does not share less for being smaller than what it shares."""
    pss, start, end, counts = {}, {}, {}, {"runc": min(count, 50), "tare": count}
    for kind, n in counts.items():
        start[kind] = c.start_many(kind, n, pod) / n * 1e3
        time.sleep(2.5)
        shims = c.shims(kind)
        if len(shims) != (1 if pod else n):
            raise RuntimeError(f"{len(shims)} shims of {kind} run for {n} containers")
        pss[kind] = sum(shims) / n
        if kind == "tare":
            listed = took_ms(lambda: c.ctr("task", "ls"))
            running = c.ctr("task", "ls").stdout.count("RUNNING")
        end[kind] = c.remove_many(kind, n) / n * 1e3
    what = f"{count} containers {'of one pod' if pod else 'with a shim each'}"
    row(f"memory beside each of {what}, Pss", pss["tare"], pss["runc"], "KiB", f"{pss['tare'] * count / 1024:.1f} MiB in all; runc's: of {counts['runc']}")
    row(f"start of {what}, 8 at a time (time each)", start["tare"], start["runc"], more=f"{running} running, listed in {listed:.0f} ms, load {os.getloadavg()[0]:.1f}")
    row("their removal, 8 at a time (time each)", end["tare"], end["runc"])


def compare(c, row, quick):
    ms = alternately(5 if quick else 15, lambda kind, i: c.run(kind, "--rm", c.image, f"{kind}{i}", "true"))
    row("ctr run --rm true, tare's shim against runc's", ms["tare"], ms["runc"], more=f"load {os.getloadavg()[0]:.1f}")
    for kind in KINDS:
        c.run(kind, "-d", c.image, kind, "sleep", "1000")
    ms = alternately(5 if quick else 15, lambda kind, i: c.ctr("task", "exec", "--exec-id", f"e{i}", kind, "true"))
    row("ctr task exec true", ms["tare"], ms["runc"])
    time.sleep(2.5)
    one = {kind: c.shims(kind)[0] for kind in KINDS}
    row("memory of the only shim, Pss", one["tare"], one["runc"], "KiB")
    count = 5 if quick else 10
    for kind in KINDS:
        for i in range(count - 1):
            c.run(kind, "-d", c.image, f"{kind}-{i}", "sleep", "1000")
    time.sleep(2.5)
    many = {kind: sum(c.shims(kind)) / count for kind in KINDS}
    row(f"memory of each of {count} shims, Pss", many["tare"], many["runc"], "KiB")
    c.clear()
    for kind in KINDS:
        for i in range(count):
            c.run(kind, "-d", "--annotation", f"io.kubernetes.cri.sandbox-id={kind}-0", c.image, f"{kind}-{i}", "sleep", "1000")
    time.sleep(2.5)
    pod = {kind: sum(c.shims(kind)) / count for kind in KINDS}
    row(f"memory beside each of {count} containers of one pod", pod["tare"], pod["runc"], "KiB")
    c.clear()


def part(bench, row, quick):
    if not shutil.which("ctr"):
        raise RuntimeError("containerd is not installed")
    c = Containerd(bench)
    try:
        if not os.environ.get("DENSE"):
            compare(c, row, quick)
        for pod in (False, True):
            dense(c, row, int(os.environ.get("DENSITY", 20 if quick else 100)), pod)
    finally:
        c.close()
