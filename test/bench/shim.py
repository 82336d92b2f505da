"""Part `shim`: containerd-shim-tare-v2 beside containerd-shim-runc-v2, under one containerd with roots of its own. DENSITY=1000 sets how
many containers run at once at the end (100), with a shim each, started 8 at a time; of runc's at most 50."""
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

    def start_many(self, kind, count, parallel=8):
        """Seconds until all of them ran."""
        started = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(parallel) as pool:
            for done in [pool.submit(self.run, kind, "-d", "--null-io", self.image, f"{kind}-{i}", "sleep", "100000") for i in range(count)]:
                done.result()
        return time.monotonic() - started

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


def dense(c, row, count):
    """Many at once; the memory of runc's is that of a sample, which does not share less for being smaller than what it shares."""
    pss, seconds, counts = {}, {}, {"runc": min(count, 50), "tare": count}
    for kind, n in counts.items():
        seconds[kind] = c.start_many(kind, n)
        time.sleep(2.5)
        shims = c.shims(kind)
        if len(shims) != n:
            raise RuntimeError(f"{len(shims)} of {n} shims of {kind} run")
        pss[kind] = sum(shims) / n
        if kind == "tare":
            listed = took_ms(lambda: c.ctr("task", "ls"))
            running = c.ctr("task", "ls").stdout.count("RUNNING")
        started = time.monotonic()
        c.clear()
        cleared = time.monotonic() - started
    row(f"memory of each of {count} shims, Pss", pss["tare"], pss["runc"], "KiB", f"{pss['tare'] * count / 1024:.0f} MiB in all; runc's: of {counts['runc']}")
    row(f"start of {count} containers, 8 at a time (time each)", seconds["tare"] / count * 1e3, seconds["runc"] / counts["runc"] * 1e3,
        more=f"{running} running, listed in {listed:.0f} ms, taken away one by one in {cleared:.0f} s, load {os.getloadavg()[0]:.1f}")


def part(bench, row, quick):
    if not shutil.which("ctr"):
        raise RuntimeError("containerd is not installed")
    c = Containerd(bench)
    try:
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
        dense(c, row, int(os.environ.get("DENSITY", 20 if quick else 100)))
    finally:
        c.close()
