"""Parts `many` (a thousand containers: start, memory, lists, stop) and `daily` (run -d, stop, logs --tail, cp; each beside docker and podman). COUNT=200 makes fewer."""
import concurrent.futures
import os
import shutil
import statistics
import subprocess
import time

SLEEP = ["--network", "none", "busybox", "sleep", "100000"]
# Ends at once when it is asked to: the shell waits in a builtin, so that the signal does not wait for a child.
POLITE = ["--network", "none", "busybox", "sh", "-c", "trap 'exit 0' TERM; sleep 100000 & wait"]


def used(words):
    """Wall time and processor time (ms) of one command and what it waited for."""
    before, started = os.times(), time.monotonic()
    subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return (time.monotonic() - started) * 1e3, cpu * 1e3


def monitors(names):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline") as line:
                words = line.read().split("\0")
        except OSError:
            continue
        if words[0] == "tare-monitor" and len(words) > 2 and words[2] in names:
            yield pid


def lists(bench, label, count):
    for words, goal in ((["ps", "-a"], 30), (["ps"], 30), (["ps", "-q"], 30)):
        seen = [used(bench.words(*words)) for _ in range(7)]
        wall, cpu = (statistics.median(one[i] for one in seen) for i in (0, 1))
        print(f"    {' '.join(words)} of {count} {label}: {wall:.1f} ms ({min(one[0] for one in seen):.1f} the fastest); "
              f"processor {cpu:.0f} ms; goal {goal} ms", flush=True)


def part_many(bench, row, quick, pss_kib):
    count = int(os.environ.get("COUNT", "200" if quick else "1000"))
    floor = 1000 / bench.measure(bench.floor(), 100, parallel=8)["rate"]

    def start(_):
        return bench.engine("run", "-d", *SLEEP).stdout.strip()

    started = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        names = list(pool.map(start, range(count)))
    row(f"start of {count} containers, 8 at a time (time each)", (time.monotonic() - started) * 1e3 / count, floor,
        more=f"load {os.getloadavg()[0]:.1f}")
    time.sleep(1)
    wanted = set(names)
    row(f"memory beside an idle container ({count} running), Pss", sum(map(pss_kib, monitors(wanted))) / count, 0, "KiB")
    bench.engine("ps", "-a")
    lists(bench, "running", count)
    one = [used(bench.words("inspect", names[count // 2])) for _ in range(9)]
    print(f"    inspect among them: {statistics.median(w for w, _ in one):.1f} ms; processor {statistics.mean(c for _, c in one):.1f} ms; goal 3 ms")
    started = time.monotonic()
    for at in range(0, count, 100):
        bench.engine("kill", *names[at:at + 100])
    while bench.engine("ps", "-q").stdout:
        time.sleep(0.02)
    row(f"kill of {count} containers until none runs (time each)", (time.monotonic() - started) * 1e3 / count, floor)
    bench.engine("ps", "-a")
    lists(bench, "stopped", count)
    started = time.monotonic()
    for at in range(0, count, 100):
        bench.engine("rm", *names[at:at + 100])
    row(f"rm of {count} containers (time each)", (time.monotonic() - started) * 1e3 / count, floor)


def once(bench, words):
    """One run's time, without what it takes to start a program from here."""
    out = subprocess.run([bench.top + "/measure.bin", "-n", "1", "-p", "0", "-j", "1", *words], stdin=subprocess.DEVNULL,
                         capture_output=True, text=True, check=True).stdout
    return float(out.split()[1])


def stops(bench, runs):
    """`stop` of a process that ends at once, and, as its base, a program that sends the same process the signal and waits for its end."""
    floor, tare = [], []
    for _ in range(runs):
        for times, by_engine in ((floor, False), (tare, True)):
            name = bench.engine("run", "-d", *POLITE).stdout.strip()
            pid = bench.engine("inspect", "--format", "{{.State.Pid}}", name).stdout.strip()
            time.sleep(0.1)  # the shell sets its trap
            words = bench.words("stop", name) if by_engine else [bench.top + "/floor.bin", "stop", pid]
            times.append(once(bench, words))
            bench.engine("rm", "-f", name)
    return statistics.median(tare), statistics.median(floor)


def detached(bench, runs):
    """`run -d` against `run` of the same: the first ends when it runs, the second when it has ended."""
    times = {"-d": [], "-i": []}
    for number in range(runs):
        for option, seen in times.items():
            name = f"tare-bench-{os.getpid()}-{number}{option}"
            started = time.monotonic()
            bench.engine("run", option, "--name", name, "--network", "none", "busybox", "true")
            seen.append((time.monotonic() - started) * 1e3)
            bench.engine("rm", "-f", name)
    return statistics.median(times["-d"]), statistics.median(times["-i"])


def tail(bench, gigabyte):
    """`logs --tail 10` of a long json-file log, beside tail(1) of the same file."""
    name = bench.engine("run", "-d", "--network", "none", "--log-opt", "max-size=4g", "busybox", "true").stdout.strip()
    bench.engine("wait", name)
    path = bench.log(name)
    if not path:  # it has another format
        bench.engine("rm", name)
        return None
    line = b'{"log":"' + b"x" * 99 + b'\\n","stream":"stdout","time":"2026-01-01T00:00:00.000000001Z"}\n'
    with open(path, "wb") as file:
        for _ in range(gigabyte // (len(line) * 10000)):
            file.write(line * 10000)
    got = bench.measure(bench.words("logs", "--tail", "10", name), 40)["median"]
    base = bench.measure([shutil.which("tail"), "-n", "10", path], 40)["median"]
    bench.engine("rm", name)
    return got, base


def copies(bench, gigabyte):
    """`cp` of a large file out of a stopped container, beside cp(1) of the same file to the same place."""
    name = bench.engine("run", "-d", "--network", "none", "busybox", "sh", "-c",
                        f"dd if=/dev/zero of=/big bs=1M count={gigabyte >> 20} 2>/dev/null").stdout.strip()
    bench.engine("wait", name)
    source, target = bench.file(name), bench.top + "/copied"
    times = {"engine": [], "cp": []}
    for _ in range(3):
        for who, words in (("cp", ["cp", source, target]), ("engine", bench.words("cp", name + ":/big", target))):
            if os.path.exists(target):
                os.unlink(target)
            os.sync()
            times[who].append(used(words)[0])
    os.unlink(target)
    bench.engine("rm", "-f", name)
    return min(times["engine"]), min(times["cp"])


class Peer:
    """Docker or Podman, asked as tare is."""

    def __init__(self, bench, program, before, options, within):
        self.bench, self.program, self.top, self.measure = bench, program, bench.top, bench.measure
        self.before, self.options = before, options
        self.within = [shutil.which(within[0]), *within[1:]] if within else []

    def words(self, *words):
        more = self.options if words[0] in ("run", "create") else []
        return [*self.within, shutil.which(self.program), *self.before, words[0], *more, *words[1:]]

    def engine(self, *words):
        return subprocess.run(self.words(*words), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)

    def log(self, name):
        return self.engine("inspect", "--format", "{{.LogPath}}", name).stdout.strip() if self.program == "docker" else None

    def file(self, name):
        return self.engine("inspect", "--format", "{{.GraphDriver.Data.UpperDir}}", name).stdout.strip() + "/big"


def peers(bench, no_hybrid):
    """Those that are installed and answer. Podman asks for limits above those that a restricted root may give."""
    podman = ["--root", bench.top + "/podman", "--runroot", bench.top + "/podman-run"]
    limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096"]
    for one in (Peer(bench, "docker", [], [], []), Peer(bench, "podman", podman, limits, no_hybrid)):
        if not shutil.which(one.program):
            continue
        try:
            one.engine("info")
            one.engine("load", "-q", "-i", bench.fixtures + "/busybox.docker.tar")
            one.engine("run", "--rm", "--network", "none", "busybox", "true")
            yield one
        except subprocess.CalledProcessError as error:
            print(f"    {one.program}: cannot be measured here ({(error.stderr or '').strip()[-100:]})")


def part_daily(bench, row, peer, no_hybrid, quick):
    runs, gigabyte = (6, 200 << 20) if quick else (20, 1 << 30)
    rows = (("run -d, against run", detached, runs),
            ("stop of a process that ends at once, against a program that kills it", stops, runs),
            (f"logs --tail 10 of {gigabyte >> 20} MB, against tail -n 10", tail, gigabyte),
            (f"cp of {gigabyte >> 20} MB out of a container, against cp", copies, gigabyte))
    others = list(peers(bench, no_hybrid))
    for label, measured, much in rows:
        row(label, *measured(bench, much), more=f"load {os.getloadavg()[0]:.1f}")
        for one in others:
            try:
                seen = measured(one, much)
            except subprocess.CalledProcessError as error:
                print(f"    {one.program}: cannot be measured here ({(error.stderr or '').strip()[-100:]})")
                continue
            if seen:
                peer(one.program, *seen)
