"""Layers as strangers write them: what they become on the disk, and what they must never become.

Run by image_layers.bats. Needs root (owners, file capabilities) and TARE, the program (`tare`, or any with `load -i FILE`).
Every case makes a docker-archive of hand-made layers, loads it into a store of its own, and looks at the directories.
"""
import gzip, hashlib, io, json, os, resource, shutil, stat, struct, subprocess, tarfile, tempfile, unittest, zlib

TARE = os.environ["TARE"].split()


def entry(name, kind=tarfile.REGTYPE, data=b"", **fields):
    info = tarfile.TarInfo(name)
    info.type, info.mtime, info.size = kind, 1600000000, len(data)
    info.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    for key, value in fields.items():
        setattr(info, key, value)
    return info, data


def link(name, target, kind=tarfile.LNKTYPE):
    return entry(name, kind, linkname=target)


def layer(*entries, fmt=tarfile.PAX_FORMAT):
    """An archive of entry()s and link()s; bytes among them are blocks put in as they are."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=fmt) as tar:
        for item in entries:
            if isinstance(item, bytes):
                out.write(item + bytes(-len(item) % 512))
                tar.offset += len(item) + -len(item) % 512
            else:
                tar.addfile(item[0], io.BytesIO(item[1]))
    return out.getvalue()


def plain(blob):
    return gzip.decompress(blob) if blob[:2] == b"\x1f\x8b" else blob


def archive(path, layers, diff_ids=None, names=("case:latest",), config=None):
    diff_ids = diff_ids or ["sha256:" + hashlib.sha256(plain(l)).hexdigest() for l in layers]
    document = {"architecture": "amd64", "os": "linux", "config": config or {}, "rootfs": {"type": "layers", "diff_ids": diff_ids}}
    text = json.dumps(document).encode()
    manifest = [{"Config": "c.json", "RepoTags": list(names), "Layers": ["l%d.tar" % i for i in range(len(layers))]}]
    with tarfile.open(path, "w") as tar:
        for name, data in [("c.json", text), ("manifest.json", json.dumps(manifest).encode())] + [
            ("l%d.tar" % i, l) for i, l in enumerate(layers)]:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return "sha256:" + hashlib.sha256(text).hexdigest()


NO_DIGEST = ["sha256:" + "0" * 64]  # for what is refused before its digest counts: nobody unpacks gigabytes to know it


def gzip_repeated(head, block, times):
    """gzip data of head and many times block, packed once: the checksum at the end is missing."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    first = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08\0\0\0\0\0\0\3" + first + again * times


def zstd_zeros(head, blocks, window_log=17):
    """A zstd frame: head as it is, then blocks of 128 KiB of zeros, each four bytes of the frame."""
    block = lambda kind, size, last=0: struct.pack("<I", last | kind << 1 | size << 3)[:3]
    return (b"\x28\xb5\x2f\xfd\0" + bytes([(window_log - 10) << 3]) + block(0, len(head)) + head + (block(1, 1 << 17) + b"\0") * blocks
            + block(0, 0, 1))


def retyped(head, kind):
    head = head[:148] + b" " * 8 + kind + head[157:]
    return head[:148] + b"%06o\0 " % sum(head) + head[156:]


def sized_head(name, size):
    info, _ = entry(name)
    info.size = size
    return info.tobuf()


def children_seconds():
    """Processor time, not the clock's: the machine may have other things to do."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Case(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="tt.", dir=os.environ.get("TT_DIR", "/tmp"))
        self.root = self.dir + "/root"
        os.mkdir(self.dir + "/outside")
        with open(self.dir + "/outside/secret", "w") as f:
            f.write("secret")
        os.chmod(self.dir + "/outside/secret", 0o640)

    def tearDown(self):
        shutil.rmtree(self.dir)

    def tare(self, *words):
        return subprocess.run(TARE + ["--root", self.root, "--run-root", self.dir + "/run", *words], capture_output=True, text=True,
                              timeout=120)

    def load(self, *layers, ok=True, conf="", **more):
        archive(self.dir + "/a.tar", layers, **more)
        with open(self.dir + "/tare.conf", "w") as f:
            f.write(conf)
        done = self.tare("--config", self.dir + "/tare.conf", "load", "-i", self.dir + "/a.tar")
        if ok:
            self.assertEqual(done.returncode, 0, done.stderr)
            return self.layers()
        self.assertNotEqual(done.returncode, 0, "it was accepted")
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertEqual(os.listdir(self.root + "/refs"), [])
        self.assertEqual([n for n in os.listdir(self.root + "/trash")], [])
        self.assertEqual([n for n in os.listdir(self.root + "/layers") if n.startswith(".new")], [])
        return done.stderr

    def record(self):
        with open(self.root + "/refs/docker.io%library%case:latest") as f:
            return json.load(f)

    def manifest(self):
        with open(self.root + "/blobs/sha256/" + self.record()["manifest"]["digest"][7:]) as f:
            return json.load(f)

    def layers(self):
        """Directories of the image, lowest first."""
        return [self.root + "/layers/" + key for key in reversed(self.record()["layers"])]

    def assert_outside_untouched(self):
        path = self.dir + "/outside/secret"
        with open(path) as f:
            self.assertEqual(f.read(), "secret")
        s = os.stat(path)
        self.assertEqual((stat.S_IMODE(s.st_mode), s.st_uid, s.st_nlink), (0o640, os.geteuid(), 1))
        self.assertEqual(os.listdir(self.dir + "/outside"), ["secret"])


def is_whiteout(path):
    s = os.lstat(path)
    return stat.S_ISCHR(s.st_mode) and s.st_rdev == 0


def is_opaque(path):
    try:
        return os.getxattr(path, "user.overlay.opaque") == b"y"
    except OSError:
        return False


class Faithful(Case):
    def test_metadata(self):
        [top] = self.load(layer(
            entry("d", tarfile.DIRTYPE, mode=0o2750, uid=5, gid=6, mtime=1500000001.25),
            entry("d/su", data=b"x", mode=0o4755, uid=7, gid=8),
            entry("d/own", data=b"own", uid=1000, gid=1001, mtime=1400000000.5),
            entry("d/cap", data=b"c", mode=0o755, pax_headers={"SCHILY.xattr.user.note": "hello",
                                                             "SCHILY.xattr.user.overlay.opaque": "y",
                                                             "SCHILY.xattr.trusted.overlay.opaque": "y"}),
            link("d/hard", "d/own"), link("d/soft", "../../../outside/secret", tarfile.SYMTYPE),
            entry("fifo", tarfile.FIFOTYPE), entry("ä/ö" , data=b"utf8"),
            entry("d/late", data=b"1")))
        s = os.stat(top + "/d")
        self.assertEqual((stat.S_IMODE(s.st_mode), s.st_uid, s.st_gid, s.st_mtime), (0o2750, 5, 6, 1500000001.25))
        s = os.stat(top + "/d/su")
        self.assertEqual((stat.S_IMODE(s.st_mode), s.st_uid, s.st_gid), (0o4755, 7, 8))
        s = os.stat(top + "/d/own")
        self.assertEqual((s.st_uid, s.st_gid, s.st_nlink, s.st_mtime), (1000, 1001, 2, 1400000000.5))
        self.assertEqual(os.listxattr(top + "/d/cap"), ["user.note"])
        self.assertEqual(os.readlink(top + "/d/soft"), "../../../outside/secret")
        self.assertTrue(stat.S_ISFIFO(os.stat(top + "/fifo").st_mode))
        with open(top + "/ä/ö", "rb") as f:
            self.assertEqual(f.read(), b"utf8")

    def test_file_capability(self):
        source = self.dir + "/cap"
        with open(source, "w") as f:
            f.write("x")
        value = struct.pack("<IIIII", 0x02000001, 0x400, 0, 0, 0)
        os.setxattr(source, "security.capability", value)
        blob = subprocess.run(["tar", "--xattrs", "--xattrs-include=*", "-C", self.dir, "-cf", "-", "cap"], capture_output=True).stdout
        [top] = self.load(blob)
        self.assertEqual(os.getxattr(top + "/cap", "security.capability"), value)

    def test_long_names_in_each_format(self):
        name = "/".join(["n" * 200] * 10)
        for fmt in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
            with self.subTest(fmt):
                [top] = self.load(layer(entry(name, data=b"x"), link("l", "/".join(["t" * 200] * 3), tarfile.SYMTYPE), fmt=fmt))
                self.assertTrue(os.path.exists(top + "/" + name))
                self.assertEqual(len(os.readlink(top + "/l")), 602)
                shutil.rmtree(self.root)

    def test_sparse(self):
        path = self.dir + "/sparse"
        with open(path, "wb") as f:
            f.write(b"a")
            f.truncate(200 << 20)
            f.seek(100 << 20)
            f.write(b"b" * 4096)
        blob = subprocess.run(["tar", "-S", "-C", self.dir, "-cf", "-", "sparse"], capture_output=True).stdout
        [top] = self.load(blob)
        s = os.stat(top + "/sparse")
        self.assertEqual(s.st_size, 200 << 20)
        self.assertLess(s.st_blocks * 512, 1 << 20)

    def test_devices_are_left_out(self):
        [top] = self.load(layer(entry("null", tarfile.CHRTYPE, devmajor=1, devminor=3), entry("sda", tarfile.BLKTYPE, devmajor=8), entry("f")))
        self.assertEqual(os.listdir(top), ["f"])

    def test_compression(self):
        data = layer(entry("f", data=os.urandom(3000000)))
        half = len(data) // 2
        members = gzip.compress(data[:half]) + gzip.compress(data[half:]) + gzip.compress(b"")
        for blob in (gzip.compress(data), members, members + b"\0" * 700):
            [top] = self.load(blob)
            self.assertEqual(os.stat(top + "/f").st_size, 3000000)
            self.assertIn("tar+gzip", self.manifest()["layers"][0]["mediaType"])
            shutil.rmtree(self.root)
        for broken in (gzip.compress(data)[:-4], gzip.compress(data)[:-9] + b"\1" * 9, gzip.compress(data) + b"garbage"):
            self.load(broken, ok=False, diff_ids=["sha256:" + hashlib.sha256(data).hexdigest()])

    def test_empty_layer(self):
        self.assertEqual(os.listdir(self.load(layer())[0]), [])

    def test_many_layers(self):
        self.assertEqual(len(self.load(*[layer(entry("f%d" % i)) for i in range(127)])), 127)


class Whiteouts(Case):
    def test_plain_and_opaque(self):
        low, top = self.load(layer(entry("a"), entry("d", tarfile.DIRTYPE), entry("d/x")),
                             layer(entry(".wh.a"), entry("d/.wh..wh..opq"), entry("d/y"), entry(".wh..wh.plnk"), entry("d/.wh..wh.aufs")))
        self.assertTrue(is_whiteout(top + "/a"))
        self.assertTrue(is_opaque(top + "/d"))
        self.assertEqual(sorted(os.listdir(top)), ["a", "d"])
        self.assertEqual(os.listdir(top + "/d"), ["y"])

    def test_order_does_not_matter(self):
        """A whiteout hides the layers below, never what its own layer brings."""
        for order in (0, 1):
            pieces = [entry(".wh.d"), entry("d/new")]
            low, top = self.load(layer(entry("d/old")), layer(*(pieces if order else reversed(pieces))))
            self.assertTrue(is_opaque(top + "/d"))
            self.assertEqual(os.listdir(top + "/d"), ["new"])
            shutil.rmtree(self.root)
            pieces = [entry(".wh.f"), entry("f", data=b"new")]
            low, top = self.load(layer(entry("f")), layer(*(pieces if order else reversed(pieces))))
            self.assertEqual(os.stat(top + "/f").st_size, 3)
            shutil.rmtree(self.root)

    def test_bad_names(self):
        for name in (".wh.", ".wh..", ".wh...", "d/.wh..."):
            self.load(layer(entry(name)), ok=False)

    def test_merged(self):
        """What overlay makes of it."""
        self.load(layer(entry("gone"), entry("d/old"), entry("keep/me")), layer(entry(".wh.gone"), entry("d/.wh..wh..opq"), entry("d/new")))
        dirs = self.layers()
        merged = self.dir + "/merged"
        os.mkdir(merged)
        subprocess.run(["mount", "-t", "overlay", "-o", "userxattr,ro,lowerdir=" + ":".join(reversed(dirs)), "overlay", merged], check=True)
        try:
            self.assertEqual(sorted(os.listdir(merged)), ["d", "keep"])
            self.assertEqual(os.listdir(merged + "/d"), ["new"])
        finally:
            subprocess.run(["umount", merged], check=True)

    def test_opaque_root(self):
        dirs = self.load(layer(entry("old")), layer(entry(".wh..wh..opq"), entry("new")))
        self.assertEqual(len(dirs), 1)
        self.assertEqual(os.listdir(dirs[0]), ["new"])

    def test_a_million_opaque_marks(self):
        head = layer(entry("d/.wh..wh..opq"))[:512]
        blob = gzip.compress(head * 1000000 + b"\0" * 1024, 1)
        before = children_seconds()
        [top] = self.load(blob)
        self.assertTrue(is_opaque(top + "/d"))
        self.assertLess(children_seconds() - before, 20)


class Lowers(Case):
    def test_hard_link_into_lower_layer(self):
        low, middle, top = self.load(
            layer(entry("etc/f", data=b"data", uid=3, gid=4, mode=0o640), entry("etc", tarfile.DIRTYPE, mode=0o711, uid=9)),
            layer(entry("other")),
            layer(link("bin/g", "etc/f"), link("bin/h", "bin/g")))
        a, b, c = (os.stat(top + p) for p in ("/etc/f", "/bin/g", "/bin/h"))
        self.assertEqual((a.st_ino, b.st_ino), (b.st_ino, c.st_ino))
        self.assertEqual((a.st_uid, a.st_gid, stat.S_IMODE(a.st_mode), a.st_size, a.st_nlink), (3, 4, 0o640, 4, 3))
        s = os.stat(top + "/etc")
        self.assertEqual((stat.S_IMODE(s.st_mode), s.st_uid), (0o711, 9))

    def test_parents_that_no_entry_names(self):
        low, top = self.load(layer(entry("a", tarfile.DIRTYPE, mode=0o700, uid=11, gid=12), entry("a/b", tarfile.DIRTYPE, mode=0o1777)),
                             layer(entry("a/b/c/f", data=b"x")))
        s = os.stat(top + "/a")
        self.assertEqual((stat.S_IMODE(s.st_mode), s.st_uid, s.st_gid, s.st_mtime), (0o700, 11, 12, 1600000000))
        self.assertEqual(stat.S_IMODE(os.stat(top + "/a/b").st_mode), 0o1777)
        self.assertEqual(stat.S_IMODE(os.stat(top + "/a/b/c").st_mode), 0o755)

    def test_hidden_targets(self):
        for middle in ([entry(".wh.f")], [entry(".wh..wh..opq")]):
            self.load(layer(entry("f", data=b"x")), layer(*middle), layer(link("g", "f")), ok=False)
        self.load(layer(entry("f", data=b"x"), link("s", "/outside", tarfile.SYMTYPE)), layer(link("g", "s/secret")), ok=False)
        self.load(layer(link("g", "nothing")), ok=False)


class Hostile(Case):
    def outside(self):
        return self.dir + "/outside"

    def test_names(self):
        for name in ("../x", "a/../../x", "..", "a/..", "/../x", "a" * 256, "/".join(["ab"] * 1400)):
            self.load(layer(entry(name, data=b"x")), ok=False)
            self.assert_outside_untouched()

    def test_names_that_are_cleaned(self):
        [top] = self.load(layer(entry("/abs/f"), entry("./dot//f"), entry("././x/"), entry("s/./f")))
        self.assertEqual(sorted(os.listdir(top)), ["abs", "dot", "s", "x"])

    def test_through_links(self):
        """A link, then a name that leads through it: nothing outside changes, whatever the kinds and the order."""
        targets = (self.outside(), "../../../outside", "../" * 30 + self.outside(), ".", "..", "/", "/proc/self/root", "/proc/self/cwd")
        follow = (entry("l/secret", data=b"evil"), entry("l/secret", tarfile.DIRTYPE, mode=0o777), link("l/secret", "x", tarfile.SYMTYPE),
                  entry("l/.wh.secret"), entry("l/.wh..wh..opq"), entry("l", tarfile.DIRTYPE, mode=0o777), entry("l", data=b"evil"),
                  entry("l/secret", tarfile.FIFOTYPE), link("l/secret", "x"), link("h", "l/secret"))
        for target in targets:
            for what in follow:
                for twice in (False, True):
                    entries = [entry("x", data=b"x"), link("l", target, tarfile.SYMTYPE), what] + ([what] if twice else [])
                    archive(self.dir + "/a.tar", [layer(*entries)])
                    self.tare("load", "-i", self.dir + "/a.tar")
                    self.assert_outside_untouched()
            shutil.rmtree(self.root)

    def test_hard_links_out(self):
        for target in (self.outside() + "/secret", "../" * 30 + self.outside()[1:] + "/secret", "l/secret", "/etc/shadow"):
            self.load(layer(link("l", self.outside(), tarfile.SYMTYPE), link("h", target), entry("h", data=b"evil")), ok=False)
            self.assert_outside_untouched()

    def test_hard_link_to_symlink_is_the_link(self):
        [top] = self.load(layer(link("l", self.outside() + "/secret", tarfile.SYMTYPE), link("h", "l"), entry("h", data=b"evil")))
        self.assertEqual(os.stat(top + "/h").st_size, 4)
        self.assert_outside_untouched()

    def test_hard_link_with_data(self):
        info, _ = link("h", "f")
        info.size = 512
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            f, data = entry("f", data=b"good")
            tar.addfile(f, io.BytesIO(data))
            tar.fileobj.write(info.tobuf() + b"evil" * 128)
            tar.offset += 1024
        archive(self.dir + "/a.tar", [out.getvalue()])
        self.tare("load", "-i", self.dir + "/a.tar")
        self.assert_outside_untouched()

    def test_kinds_replace_each_other(self):
        kinds = {"file": entry("n", data=b"f"), "dir": entry("n", tarfile.DIRTYPE), "link": link("n", self.outside(), tarfile.SYMTYPE),
                 "fifo": entry("n", tarfile.FIFOTYPE), "hard": link("n", "t"), "in": entry("n/inside", data=b"i")}
        for a in kinds.values():
            for b in kinds.values():
                [top] = self.load(layer(entry("t", data=b"t"), a, b))
                s = os.lstat(top + "/n")
                want = {tarfile.DIRTYPE: stat.S_ISDIR, tarfile.SYMTYPE: stat.S_ISLNK, tarfile.FIFOTYPE: stat.S_ISFIFO}.get(
                    b[0].type, stat.S_ISDIR if "inside" in b[0].name else stat.S_ISREG)
                self.assertTrue(want(s.st_mode), (a[0].name, a[0].type, b[0].name, b[0].type))
                self.assertEqual(os.stat(top + "/t").st_size, 1)
                shutil.rmtree(self.root)
        self.assert_outside_untouched()

    def test_owners_out_of_range(self):
        for fields in ({"uid": 0xffffffff}, {"uid": 1 << 40}, {"gid": 0xffffffff}):
            self.load(layer(entry("f", **fields), fmt=tarfile.GNU_FORMAT), ok=False)

    def test_wrong_digest(self):
        text = self.load(layer(entry("f")), ok=False, diff_ids=["sha256:" + "0" * 64])
        self.assertIn("0000", text)

    def refused(self, blob, text, **more):
        before = children_seconds()
        self.assertIn(text, self.load(blob, ok=False, diff_ids=NO_DIGEST, **more))
        self.assertLess(children_seconds() - before, 30)

    def test_bombs(self):
        """Gigabytes of zeros, as one file and as one name."""
        for kind in (tarfile.REGTYPE, tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME):
            head = sized_head("f", 7 << 30)
            head = retyped(head, kind)
            with self.subTest(kind):
                self.refused(gzip_repeated(head, bytes(1 << 20), 7 << 10), "" if kind != tarfile.REGTYPE else "bomb")
                self.refused(zstd_zeros(head, 56 << 10), "" if kind != tarfile.REGTYPE else "bomb")

    def test_a_window_of_two_gigabytes(self):
        self.refused(zstd_zeros(sized_head("f", 1 << 20), 8, 31), "too much memory")

    def test_bombs_in_bombs(self):
        """Members behind each other count together; what is packed twice is no archive; the whole archive packed is measured, too."""
        member = gzip.compress(bytes(1 << 20), 9)
        self.refused(gzip.compress(sized_head("f", 7 << 30)) + member * 2000, "bomb")
        self.refused(gzip.compress(gzip.compress(layer(entry("f")))), "Unrecognized archive format")
        with open(self.dir + "/a.tar.gz", "wb") as f:
            f.write(gzip_repeated(sized_head("l0.tar", 7 << 30), bytes(1 << 20), 7 << 10))
        done = self.tare("load", "-i", self.dir + "/a.tar.gz")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("bomb", done.stderr)
        self.assertEqual(os.listdir(self.root + "/trash"), [])

    def test_attributes(self):
        for count, text in ((129, "more than 128"), (25000, "more than 128"), (100000, "too large")):
            records = b"".join(b"34 SCHILY.xattr.user.nnnn%06d=v\n" % i for i in range(count))
            head = sized_head("pax", len(records))
            self.assertIn(text, self.load(layer(retyped(head, tarfile.XHDTYPE), records, entry("f")), ok=False))
        [top] = self.load(layer(entry("f", pax_headers={"SCHILY.xattr.user." + "n" * 251: "v", "SCHILY.xattr.": "v", "SCHILY.xattr.user.": "v",
                                                        "SCHILY.xattr.user.ok": "v"})))
        self.assertEqual(os.listxattr(top + "/f"), ["user.ok"])

    def test_names_that_the_engine_uses(self):
        """Payload and what the engine writes never share a directory, so no name in a layer means anything."""
        names = ["config.json", "state", "link", "lower", "diff", "index.json", "oci-layout", "metadata.yaml", "journal", "upper/x", "work/x"]
        low, top = self.load(layer(*[entry(n) for n in names]), layer(*[link(n, "/etc/passwd", tarfile.SYMTYPE) for n in names[:9]]))
        self.assertEqual(sorted(os.listdir(low)), sorted(n.split("/")[0] for n in names))
        with open(self.root + "/index.json") as f:
            self.assertEqual(len(json.load(f)["manifests"]), 1)

    def test_garbage(self):
        for blob in (b"x", b"garbage" * 1000, b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd" + b"\xff" * 100, layer(entry("f", data=b"x" * 5000))[:1500]):
            self.load(blob, ok=False, diff_ids=["sha256:" + hashlib.sha256(blob).hexdigest()])

    def test_archive_itself(self):
        """The outer archive is a stranger's, too."""
        for bad in ([link("manifest.json", self.outside() + "/secret", tarfile.SYMTYPE)], [entry("../x")],
                    [link("c.json", "/etc/passwd", tarfile.SYMTYPE),
                     entry("manifest.json", data=json.dumps([{"Config": "c.json", "RepoTags": None, "Layers": []}]).encode())],
                    [entry("manifest.json", data=json.dumps([{"Config": "../../../../etc/passwd", "RepoTags": None, "Layers": []}]).encode())],
                    [entry("manifest.json", data=b"[" * 100000)], [entry("nothing")]):
            with open(self.dir + "/a.tar", "wb") as f:
                f.write(layer(*bad))
            self.assertNotEqual(self.tare("load", "-i", self.dir + "/a.tar").returncode, 0)
            self.assert_outside_untouched()


class Limits(Case):
    """The keys of tare.conf: what is below passes, what is above is refused, and the line names the key."""

    def around(self, key, good, bad, *layers, **more):
        self.load(*layers, conf="%s = %s\n" % (key, good), **more)
        shutil.rmtree(self.root)
        self.assertIn(key, self.load(*layers, ok=False, conf="%s = %s\n" % (key, bad), **more))
        self.load(*layers, **more)
        shutil.rmtree(self.root)

    def test_size(self):
        self.around("layer_size_max", "1200k", "900k", layer(entry("f", data=os.urandom(1 << 20))))
        self.around("image_size_max", "3300k", "2500k", *[layer(entry("f%d" % i, data=os.urandom(1 << 20))) for i in range(3)])

    def test_ratio(self):
        blob = gzip.compress(layer(entry("f", data=bytes(80 << 20))), 1)
        self.around("layer_ratio_max", 400, 50, blob)

    def test_entries(self):
        self.around("layer_entries_max", 100, 99, layer(*[entry("f%d" % i) for i in range(100)]))
        million = gzip_repeated(b"", layer(*[entry("d%03d/f" % i) for i in range(1000)])[:512000], 1000)
        self.assertIn("layer_entries_max", self.load(million, ok=False, conf="layer_entries_max = 2000\n", diff_ids=NO_DIGEST))

    def test_paths(self):
        self.around("path_length_max", 300, 299, layer(entry("a" * 99 + "/" + "b" * 200)))
        self.around("path_depth_max", 20, 19, layer(entry("d/" * 20 + "f")))
        self.load(layer(entry("d/" * 1001 + "f")), ok=False)

    def test_values(self):
        for bad in ("layer_entries_max = 0", "layer_ratio_max = -1", "path_depth_max = x", "layer_size_max = much"):
            with open(self.dir + "/tare.conf", "w") as f:
                f.write(bad)
            done = self.tare("--config", self.dir + "/tare.conf", "images")
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(bad.split()[0], done.stderr)

    def test_info_shows_them(self):
        with open(self.dir + "/tare.conf", "w") as f:
            f.write("layer_entries_max = 12345\n")
        self.assertIn("layer_entries_max = 12345\n", self.tare("--config", self.dir + "/tare.conf", "info").stdout)


if __name__ == "__main__":
    unittest.main(verbosity=1)
