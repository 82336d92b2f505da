"""Part `network`: what a network costs a start, what goes through it, and names. SECONDS=5 sends longer."""
import concurrent.futures
import glob
import json
import os
import pwd
import shutil
import statistics
import subprocess
import time

FIRST_PORT = 24000 + os.getpid() % 8 * 1000  # above the ports of the throughput rows: of those that are published by others
OTHERS, PORTS_EACH = 10, 100
CROWD = 200
USER = "tare-test"  # an ordinary user with subordinate ids; test/run makes him
MIDDLE = statistics.median


def load():
    return f"load {os.getloadavg()[0]:.1f}"


def output(*words):
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: status {done.returncode}: {(done.stderr or done.stdout).strip()[:300]}")
    return done.stdout.strip()


def in_turns(ways, rounds, *choose):
    """ways: name → function that measures once, and returns some numbers. All of them in turns, so that what else the machine does
    falls on all. For each way: of the first numbers what choose[0] makes of them, and so on."""
    seen = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            seen[name].append(way())
    return {name: [pick(values) for pick, values in zip(choose, zip(*all))] for name, all in seen.items()}


class Netns:
    """A network namespace with a pair to the one that `beside` enters (none: where we are)."""

    def __init__(self, name, here, there, beside=()):
        self.name, self.beside, self.pid = name, list(beside), os.getpid() % 10000
        self.enter = ["ip", "netns", "exec", name]
        output("ip", "netns", "add", name)
        near, far = f"bn{self.pid}{name[-1]}", f"bf{self.pid}{name[-1]}"
        output(*beside, "ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", f"/run/netns/{name}")
        for within, link, address in ((self.beside, near, here), (self.enter, far, there)):
            output(*within, "ip", "addr", "add", address + "/24", "dev", link)
            output(*within, "ip", "link", "set", link, "up")
        output(*self.enter, "ip", "link", "set", "lo", "up")

    def close(self):
        subprocess.run(["ip", "netns", "del", self.name], check=False)


class Server:
    """traffic take or echo, in some network namespace."""

    def __init__(self, traffic, within, *words):
        self.process = subprocess.Popen([*within, traffic, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            self.close()
            raise RuntimeError(f"traffic {' '.join(words)} did not start")

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def started(bench, *words):
    """A container that sleeps: its id and how to enter its network namespace."""
    name = bench.engine("run", "-d", *words, "busybox", "sleep", "100000").stdout.strip()
    pid = bench.engine("inspect", "--format", "{{.State.Pid}}", name).stdout.strip()
    return name, ["nsenter", f"--net=/proc/{pid}/ns/net"]


def gone(bench, names):
    if names:
        bench.engine("rm", "-f", "-t", "0", *names, check=False)


# --- starts -------------------------------------------------------------------------------------------------------------------


def starts(bench, row, quick):
    runs, rounds = (6, 3) if quick else (12, 5)

    def once(*options):
        words = bench.words("run", "--rm", *options, "busybox", "true")

        def measure():
            seen = bench.measure(words, runs)
            # A second step, so that the first one's monitor and tare-net are waited for, and their processor time is counted.
            return seen["median"], seen["min"], bench.measure([*words, "+", "/bin/true"], runs)["processor"]

        return measure

    bench.engine("run", "--rm", "busybox", "true")
    ways = {"none": once("--network", "none"), "bridge": once(), "port": once("-p", "0:80")}
    alone = in_turns(ways, rounds, MIDDLE, min, min)
    for name, what, goal in (("bridge", "run --rm on the bridge, against no network", 1.0), ("port", "run --rm with a published port, the same", 1.3)):
        medians, fastest, processor = (alone[name][i] - alone["none"][i] for i in range(3))
        row(what, alone[name][0], alone["none"][0],
            more=f"adds {medians:.2f} ms (goal {goal}), to the fastest {fastest:.2f}; processor {processor:.2f} ms more, {load()}")
    others = []
    try:
        for i in range(OTHERS):
            ports = f"{FIRST_PORT + i * PORTS_EACH}-{FIRST_PORT + (i + 1) * PORTS_EACH - 1}"
            others.append(started(bench, "-p", f"{ports}:{ports}")[0])
        among = in_turns(ways, rounds, MIDDLE, min, min)
    finally:
        gone(bench, others)
    # The base is what it was without them, as many times as slow as a run without network has become meanwhile.
    base, fastest, processor = (alone["port"][i] * among["none"][i] / alone["none"][i] for i in range(3))
    row(f"the same beside {OTHERS * PORTS_EACH} ports published by others", among["port"][0], base,
        more=f"goal 1.10; of the fastest {among['port'][1] / fastest:.2f}, of processor time {among['port'][2] / processor:.2f}, {load()}")


class Dockerd:
    """A dockerd of its own, in a network namespace, where it may have a firewall."""

    def __init__(self, top, within):
        self.words = [shutil.which("docker"), "-H", f"unix://{top}/docker.sock"]
        self.cgroup = f"bench-docker-{os.getpid()}"
        with open(top + "/dockerd.log", "wb") as log:
            self.process = subprocess.Popen(
                [*within, "dockerd", "--data-root", top + "/docker/data", "--exec-root", top + "/docker/exec", "--pidfile", top + "/docker.pid",
                 "-H", f"unix://{top}/docker.sock", "--storage-driver", "overlay2", "--cgroup-parent", "/" + self.cgroup], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        for _ in range(100):
            if subprocess.run([*self.words, "version"], capture_output=True, check=False).returncode == 0:
                return
            time.sleep(0.2)
        self.close()
        raise RuntimeError("dockerd does not start here")

    def close(self):
        self.process.terminate()
        self.process.wait()
        for folder in glob.glob(f"/sys/fs/cgroup/*/{self.cgroup}") + glob.glob(f"/sys/fs/cgroup/{self.cgroup}"):
            os.rmdir(folder)


def peer_starts(bench, row, quick, name, words, within):
    # Podman asks for limits above those that a restricted root may give.
    run = [*words, "run", "--rm", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096"]
    once = lambda *options: lambda: [bench.measure([*run, *options, "busybox", "true"], 10, within=within)["median"]]
    output(*within, *words, "load", "-q", "-i", bench.fixtures + "/busybox.docker.tar")
    seen = in_turns({"none": once("--network", "none"), "bridge": once(), "port": once("-p", "20080:80")}, 1 if quick else 2, MIDDLE)
    for way, what in (("bridge", "on its bridge"), ("port", "with a published port")):
        row(f"    {name} run --rm {what}", seen[way][0], seen["none"][0], more=f"adds {seen[way][0] - seen['none'][0]:.1f} ms")


def peers(bench, row, quick, no_hybrid):
    """Docker and Podman, in a network namespace: they change the firewall of where they are."""
    world = Netns(f"bench{os.getpid()}d", "10.213.80.1", "10.213.80.2")
    within, dockerd = ["nsenter", f"--net=/run/netns/{world.name}"], None  # not ip netns exec, which hides the control groups
    try:
        output(*world.enter, "ip", "route", "add", "default", "via", "10.213.80.1")
        if shutil.which("docker") and shutil.which("dockerd"):
            dockerd = Dockerd(bench.top, within)
            peer_starts(bench, row, quick, "docker", dockerd.words, [])
        if shutil.which("podman"):
            words = [shutil.which("podman"), "--root", bench.top + "/podman", "--runroot", bench.top + "/podman-run"]
            peer_starts(bench, row, quick, "podman", words, [*within, *no_hybrid])
    except RuntimeError as error:
        print(f"    {error}")
    finally:
        if dockerd:
            dockerd.close()
        world.close()


def crowd(bench, row, quick):
    """CROWD containers with a port each, all at once."""
    begun = time.monotonic()

    def one(_):
        return subprocess.run(bench.words("run", "-d", "-p", "0:80", "busybox", "sleep", "100000"), stdin=subprocess.DEVNULL, capture_output=True, text=True)

    with concurrent.futures.ThreadPoolExecutor(CROWD) as pool:
        done = list(pool.map(one, range(CROWD)))
    took = (time.monotonic() - begun) * 1e3
    names = [each.stdout.strip() for each in done if each.returncode == 0]
    failed = [each.stderr.strip() for each in done if each.returncode != 0]
    addresses, ports = set(), set()
    try:
        for one in json.loads(bench.engine("inspect", *names).stdout) if names else []:
            addresses.add(one["NetworkSettings"]["Networks"]["bridge"]["IPAddress"])
            ports.add(one["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"])
    finally:
        gone(bench, names)
    row(f"{CROWD} run -d -p at once (time each)", took / CROWD, 0,
        more=f"{len(failed)} failed, {len(addresses)} addresses, {len(ports)} ports, {load()}" + (f"; {failed[0]}" if failed else ""))


# --- bytes --------------------------------------------------------------------------------------------------------------------


def sender(traffic, within, address, port, seconds):
    return lambda: numbers([*within, traffic, "send", address, str(port), str(seconds)])


def numbers(words):
    return tuple(map(float, output(*words).split()))


def bytes_row(row, what, got, base, goal):
    """Of the best round: one in which somebody else had the processors says nothing."""
    row(what, got[0], base[0], "MB/s", f"goal {goal}; by the sender's processor time {got[1] / base[1]:.2f}; {load()}")


def throughput(bench, row, quick, traffic, seconds):
    port, published = 22000 + os.getpid() % 1000, 23000 + os.getpid() % 1000
    plain, servers, names = Netns(f"bench{os.getpid()}p", "10.213.78.1", "10.213.78.2"), [], []
    try:
        name, inside = started(bench, "-p", f"{published}:{port}")
        names.append(name)
        gateway = bench.engine("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}", name).stdout.strip()
        servers = [Server(traffic, within, "take", str(port)) for within in ([], plain.enter, inside)]
        seen = in_turns({
            "plain out": sender(traffic, plain.enter, "10.213.78.1", port, seconds),
            "out": sender(traffic, inside, gateway, port, seconds),
            "plain in": sender(traffic, [], "10.213.78.2", port, seconds),
            "in": sender(traffic, [], "10.213.78.1", published, seconds),
        }, 8, max, MIDDLE)
        bytes_row(row, "TCP from a container to the host, against a veth pair", seen["out"], seen["plain out"], 0.95)
        bytes_row(row, "TCP to a published port, against a veth pair", seen["in"], seen["plain in"], 0.95)
    finally:
        for server in servers:
            server.close()
        gone(bench, names)
        plain.close()


def pasta(bench, row, quick, traffic, seconds):
    """An ordinary user's container, against pasta alone; host and a host beside it are namespaces."""
    try:
        user = pwd.getpwnam(USER)
    except KeyError:
        user = None
    if not user or not shutil.which("pasta"):
        print(f"    an ordinary user's network: there is no {'user ' + USER if not user else 'pasta'} here")
        return
    port, top = 22000 + os.getpid() % 1000, bench.top + "/user"
    host = Netns(f"bench{os.getpid()}h", "10.213.79.9", "10.213.79.1", ())
    lan, server = None, None
    try:
        lan = Netns(f"bench{os.getpid()}l", "198.51.100.1", "198.51.100.9", host.enter)
        output(*host.enter, "ip", "route", "add", "default", "via", "198.51.100.7")  # pasta takes the gateway's address for the host's loopback
        for folder in ("", "/root", "/run", "/xdg"):
            os.mkdir(top + folder)
            os.chown(top + folder, user.pw_uid, user.pw_gid)
        os.chmod(bench.top, 0o755)
        become = [*host.enter, "setpriv", "--reuid", USER, "--regid", str(user.pw_gid), "--init-groups", "env", f"HOME={top}", f"XDG_RUNTIME_DIR={top}/xdg"]
        engine = [*become, bench.tare_program, "--root", top + "/root", "--run-root", top + "/run"]
        with open(bench.fixtures + "/busybox.docker.tar", "rb") as image:
            subprocess.run([*engine, "load", "-q"], stdin=image, stdout=subprocess.DEVNULL, check=True)
        run = [*engine, "run", "--rm", "-v", traffic + ":/traffic"]
        server = Server(traffic, lan.enter, "take", str(port))
        send = ["/traffic", "send", "198.51.100.9", str(port), str(seconds)]
        sends = lambda words: lambda: numbers(words)
        seen = in_turns({
            "pasta": sends([*become, "pasta", "--config-net", "-q", "-f", "--", traffic, *send[1:]]),
            "bridge": sends([*run, "--network", "bridge", "busybox", *send]),
            "own": sends([*run, "--network", "pasta", "busybox", *send]),
        }, 4 if quick else 8, max, MIDDLE)
        bytes_row(row, "TCP out of a user's container, bridge, against pasta", seen["bridge"], seen["pasta"], "0.90")
        bytes_row(row, "TCP out of a user's container, --network pasta", seen["own"], seen["pasta"], "0.90")
        output(*engine, "system", "reset", "-f")
    finally:
        if server:
            server.close()
        for each in (lan, host):
            if each:
                each.close()


# --- names --------------------------------------------------------------------------------------------------------------------


def names(bench, row, quick, traffic):
    times, network = 500 if quick else 3000, f"bench{os.getpid()}"
    bench.engine("network", "create", network)
    all, server = [], None
    try:
        all.append(started(bench, "--network", network, "--name", "bench-other")[0])
        name, inside = started(bench, "--network", network)
        all.append(name)
        server = Server(traffic, inside, "echo", "5300")
        asking = lambda *where: lambda: numbers([*inside, traffic, "ask", *where, str(times)])
        seen = in_turns({"echo": asking("127.0.0.1", "5300", "x"), "name": asking("127.0.0.11", "53", "bench-other")}, 3, min, MIDDLE, MIDDLE)
        row("look-up of a container's name, against an echo", seen["name"][1], seen["echo"][1], "us",
            f"goal 100 us; p95 {seen['name'][2]:.0f} us, {load()}")
    finally:
        if server:
            server.close()
        gone(bench, all)
        bench.engine("network", "rm", network, check=False)


def part(bench, row, quick, no_hybrid):
    traffic, seconds = bench.top + "/traffic.bin", float(os.environ.get("SECONDS", 0.5 if quick else 1))
    output("gcc", "-O2", "-D_GNU_SOURCE", "-static", "-o", traffic, os.path.dirname(os.path.abspath(__file__)) + "/traffic.c")
    starts(bench, row, quick)
    peers(bench, row, quick, no_hybrid)
    throughput(bench, row, quick, traffic, seconds)
    pasta(bench, row, quick, traffic, seconds)
    names(bench, row, quick, traffic)
    crowd(bench, row, quick)
