"""A containerd with roots, sockets and a namespace of its own, for tests and figures of its shims. CONTAINERD and CTR name other
programs than those in the PATH."""
import hashlib
import os
import shutil
import subprocess
import time

CONFIG = """version = 2
root = "{top}/c-root"
state = "{top}/c-state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.aufs",
    "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "{top}/c.sock"
[ttrpc]
  address = "{top}/c.sock.ttrpc"
"""
PROGRAM = os.environ.get("CONTAINERD") or "containerd"
CTR = shutil.which(os.environ.get("CTR") or "ctr") or "ctr"
SOCKETS = "/run/containerd/s"


class Containerd:
    """top: a directory that there is. path: where it finds its shims, before the PATH. archive: the image of all containers."""

    def __init__(self, top, space, path, archive):
        self.top, self.space, self.path, self.process = top, space, path, None
        with open(top + "/c.toml", "w") as file:
            file.write(CONFIG.format(top=top))
        self.start()
        self.ctr("image", "import", archive)
        self.image = self.ctr("image", "ls", "-q").stdout.split()[0]

    def start(self):
        with open(self.top + "/c.log", "a") as log:
            self.process = subprocess.Popen([PROGRAM, "--config", self.top + "/c.toml"], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                            env={**os.environ, "PATH": self.path + ":" + os.environ["PATH"]}, start_new_session=True)
        while self.ctr("version", check=False).returncode != 0:
            if self.process.poll() is not None:
                raise RuntimeError(f"containerd ends with {self.process.returncode}: see {self.top}/c.log")
            time.sleep(0.05)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def words(self, *words):
        return [CTR, "-a", self.top + "/c.sock", "-n", self.space, *words]

    def ctr(self, *words, check=True, timeout=None):
        done = subprocess.run(self.words(*words), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)
        if check and done.returncode != 0:
            raise RuntimeError(f"ctr {' '.join(words)}: {done.stderr.strip()[:300]}")
        return done

    def run_words(self, kind, *words):
        return ["run", "--runtime", f"io.containerd.{kind}.v2", *words]

    def run(self, kind, *words):
        return self.ctr(*self.run_words(kind, *words))

    def clear(self):
        for name in self.ctr("task", "ls", "-q", check=False).stdout.split():
            self.ctr("task", "rm", "-f", name, check=False)
        for name in self.ctr("container", "ls", "-q", check=False).stdout.split():
            self.ctr("container", "rm", name, check=False)

    def socket(self, group):
        """Of the shim of a group."""
        return f"{SOCKETS}/{hashlib.sha256(f'{self.top}/c.sock/{self.space}/{group}'.encode()).hexdigest()}"

    def close(self):
        self.clear()
        self.process.terminate()
        self.process.wait()
        subprocess.run(["sh", "-c", f"rmdir /sys/fs/cgroup/*/{self.space} /sys/fs/cgroup/{self.space} /run/tare/containerd/{self.space}"],
                       stderr=subprocess.DEVNULL, check=False)
