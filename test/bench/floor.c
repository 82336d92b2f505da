/* The floor: the smallest program that makes the kernel calls of a container's life, by the cheapest calls known, so that what an
 * engine adds can be seen as a ratio. It checks nothing, writes nothing down and cannot be used for anything else.
 *
 *     floor run  LOWER[:LOWER…] DIR [-b BRIDGE ADDRESS/LEN GATEWAY] [-f FILTER] [-m] [-r] [-t] COMMAND [ARG…]
 *     floor exec PID [-f FILTER] COMMAND [ARG…]
 *     floor nothing                  ends: what a command more costs
 *     floor loop N COMMAND…          runs `run` N times in this process (no exec of floor itself between)
 *
 * DIR: an empty directory for upper, work and the mount point. FILTER: a file of struct sock_filter (without: a tree of 450 numbers
 * that allows everything). -m: without masked and read-only paths and bound files. -r: LOWER is the root as it is, read-only,
 * without overlay, bound files and filter, as in the bundle that runtimes' `spec` makes. -t: prints how long each phase took (µs).
 *
 * run: 9 cgroups (v1 hybrid: every hierarchy), six namespaces, overlay, proc, dev, pts, shm, mqueue, sys, 3 bound files, masks,
 * pivot_root, host name, capabilities, filter, exec, wait, cgroups removed, directory renamed away; unlinking after that is not
 * part of what the caller waits for (it happens in a forked child). */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/if_link.h>
#include <linux/mount.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/veth.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>

#define CHECK(call)                                                                                                                \
    do {                                                                                                                           \
        if ((long)(call) < 0) {                                                                                                    \
            fprintf(stderr, "floor: line %d: %s: %s\n", __LINE__, #call, strerror(errno));                                         \
            _exit(125);                                                                                                            \
        }                                                                                                                          \
    } while (0)

static const char *const hierarchies[] = {"unified", "cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids"};
#define HIERARCHIES (sizeof(hierarchies) / sizeof(hierarchies[0]))

struct options {
    char *lowers, *dir, *bridge, *address, *gateway;
    unsigned prefix;
    struct sock_fprog filter;
    bool minimal, bundle, times;
    char **command;
};

static double now_us(void) {
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* --- filter ------------------------------------------------------------------------------------------------------------------- */

static struct sock_filter tree[2048];
static unsigned short tree_size;

/* A binary tree over system call numbers, as libseccomp makes it (SCMP_FLTATR_CTL_OPTIMIZE 2). */
static void tree_add(unsigned from, unsigned to) {
    unsigned middle = (from + to) / 2;
    unsigned short at;

    if (to - from < 4) {
        for (unsigned n = from; n < to; n++) {
            tree[tree_size++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, n, 0, 1);
            tree[tree_size++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
        }
        tree[tree_size++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
        return;
    }
    tree[tree_size++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, middle, 0, 1);
    at = tree_size;
    tree[tree_size++] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 0);
    tree_add(from, middle);
    tree[at].k = (unsigned)(tree_size - at - 1);
    tree_add(middle, to);
}

static struct sock_fprog filter_default(void) {
    tree[tree_size++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    tree_add(0, 450);
    return (struct sock_fprog){.len = tree_size, .filter = tree};
}

static struct sock_fprog filter_read(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    CHECK(fd);
    n = read(fd, tree, sizeof(tree));
    CHECK(n);
    close(fd);
    return (struct sock_fprog){.len = (unsigned short)((size_t)n / sizeof(tree[0])), .filter = tree};
}

/* --- mounts (in the child) -----------------------------------------------------------------------------------------------------
 */

static int fs_mount(const char *type, const char *option, const char *value, unsigned attributes) {
    int fs = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC), mnt;

    CHECK(fs);
    if (option)
        CHECK(syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, option, value, 0));
    CHECK(syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
    mnt = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attributes);
    CHECK(mnt);
    close(fs);
    return mnt;
}

static void mount_at(int mnt, int dir, const char *path) {
    CHECK(syscall(SYS_move_mount, mnt, "", dir, path, MOVE_MOUNT_F_EMPTY_PATH));
    close(mnt);
}

static void bind_at(int from, const char *source, int dir, const char *path, bool read_only) {
    int mnt = (int)syscall(SYS_open_tree, from, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};

    if (mnt < 0)
        return; /* this kernel does not have the file that is to be hidden */
    if (read_only)
        CHECK(syscall(SYS_mount_setattr, mnt, "", AT_EMPTY_PATH, &attr, sizeof(attr)));
    mount_at(mnt, dir, path);
}

static int overlay(const struct options *o, int dir) {
    int fs = (int)syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC), mnt;
    char *lowers = strdup(o->lowers), *save = NULL;

    CHECK(fs);
    for (char *l = strtok_r(lowers, ":", &save); l; l = strtok_r(NULL, ":", &save))
        CHECK(syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "lowerdir+", l, 0));
    CHECK(fchdir(dir));
    CHECK(syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "upperdir", "upper", 0));
    CHECK(syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "workdir", "work", 0));
    CHECK(syscall(SYS_fsconfig, fs, FSCONFIG_SET_FLAG, "userxattr", NULL, 0));
    CHECK(syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
    mnt = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0);
    CHECK(mnt);
    close(fs);
    free(lowers);
    return mnt;
}

/* A copy of the mount that the directory lies on. */
static int bundle_root(const struct options *o) {
    struct mount_attr private = {.propagation = MS_PRIVATE};
    int mnt = (int)syscall(SYS_open_tree, AT_FDCWD, o->lowers, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);

    CHECK(mnt);
    CHECK(syscall(SYS_mount_setattr, mnt, "", AT_EMPTY_PATH | AT_RECURSIVE, &private, sizeof(private)));
    return mnt;
}

static void files_bind(int root, int dir) {
    static const char *const files[] = {"resolv.conf", "hosts", "hostname"};

    for (size_t i = 0; i < 3; i++) {
        char path[64];

        (void)snprintf(path, sizeof(path), "etc/%s", files[i]);
        close(openat(root, path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
        bind_at(dir, files[i], root, path, false);
    }
}

static void devices(int dev) {
    static const struct {
        const char *name;
        unsigned major, minor;
    } nodes[] = {{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}};
    static const char *const links[][2] = {{"/proc/self/fd", "fd"},
                                           {"/proc/self/fd/0", "stdin"},
                                           {"/proc/self/fd/1", "stdout"},
                                           {"/proc/self/fd/2", "stderr"},
                                           {"pts/ptmx", "ptmx"}};

    for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
        CHECK(mknodat(dev, nodes[i].name, S_IFCHR | 0666, (dev_t)(nodes[i].major << 8 | nodes[i].minor)));
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
        CHECK(symlinkat(links[i][0], dev, links[i][1]));
    CHECK(mkdirat(dev, "pts", 0755));
    CHECK(mkdirat(dev, "shm", 0755));
    CHECK(mkdirat(dev, "mqueue", 0755));
}

static void masks(int root) {
    static const char *const hidden[] = {"proc/kcore", "proc/keys", "proc/timer_list", "proc/sysrq-trigger"};
    static const char *const hidden_dirs[] = {"proc/acpi", "proc/scsi", "sys/firmware"};
    static const char *const read_only[] = {"proc/bus", "proc/fs", "proc/irq", "proc/sys"};

    for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
        if (faccessat(root, hidden[i], F_OK, 0) == 0)
            bind_at(root, "dev/null", root, hidden[i], false);
    for (size_t i = 0; i < sizeof(hidden_dirs) / sizeof(hidden_dirs[0]); i++)
        if (faccessat(root, hidden_dirs[i], F_OK, 0) == 0)
            mount_at(fs_mount("tmpfs", NULL, NULL, MOUNT_ATTR_RDONLY), root, hidden_dirs[i]);
    for (size_t i = 0; i < sizeof(read_only) / sizeof(read_only[0]); i++)
        bind_at(root, read_only[i], root, read_only[i], true);
}

static void root_file_system(const struct options *o, int dir) {
    struct mount_attr private = {.propagation = MS_PRIVATE}, read_only = {.attr_set = MOUNT_ATTR_RDONLY};
    int root, dev;

    CHECK(syscall(SYS_mount_setattr, -1, "/", AT_RECURSIVE, &private, sizeof(private)));
    root = o->bundle ? bundle_root(o) : overlay(o, dir);
    CHECK(syscall(SYS_move_mount, root, "", dir, o->bundle ? "." : "root", MOVE_MOUNT_F_EMPTY_PATH));
    mount_at(fs_mount("proc", NULL, NULL, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC), root, "proc");
    dev = fs_mount("tmpfs", "mode", "755", MOUNT_ATTR_NOSUID | MOUNT_ATTR_STRICTATIME);
    CHECK(syscall(SYS_move_mount, dev, "", root, "dev", MOVE_MOUNT_F_EMPTY_PATH));
    devices(dev);
    mount_at(fs_mount("devpts", "ptmxmode", "0666", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC), dev, "pts");
    mount_at(fs_mount("tmpfs", "size", "65536k", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC), dev, "shm");
    mount_at(fs_mount("mqueue", NULL, NULL, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC), dev, "mqueue");
    mount_at(fs_mount("sysfs", NULL, NULL, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC), root,
             "sys");
    if (!o->minimal) {
        if (!o->bundle)
            files_bind(root, dir);
        masks(root);
    }
    if (o->bundle)
        CHECK(syscall(SYS_mount_setattr, root, "", AT_EMPTY_PATH, &read_only, sizeof(read_only)));
    CHECK(fchdir(root));
    CHECK(syscall(SYS_pivot_root, ".", "."));
    CHECK(syscall(SYS_umount2, ".", 2 /* MNT_DETACH: <sys/mount.h> contradicts <linux/mount.h> */));
    CHECK(chdir("/"));
}

/* --- network -------------------------------------------------------------------------------------------------------------------
 */

struct message {
    union {
        struct nlmsghdr header;
        char bytes[2048];
    } u;
    size_t size;
};

static void *message_add(struct message *m, const void *p, size_t n) {
    void *at = m->u.bytes + m->size;

    memcpy(at, p, n);
    m->size += NLMSG_ALIGN(n);
    return at;
}

static struct nlmsghdr *message_begin(struct message *m, uint16_t type, uint16_t flags, const void *body, size_t n) {
    struct nlmsghdr h = {.nlmsg_type = type, .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags)};
    struct nlmsghdr *at = message_add(m, &h, sizeof(h));

    message_add(m, body, n);
    return at;
}

static struct rtattr *attribute(struct message *m, uint16_t type, const void *p, size_t n) {
    struct rtattr a = {.rta_type = type, .rta_len = (uint16_t)(RTA_LENGTH(n))}, *at = message_add(m, &a, sizeof(a));

    if (n)
        message_add(m, p, n);
    return at;
}

static void attribute_end(struct message *m, struct rtattr *a) {
    a->rta_len = (uint16_t)(m->u.bytes + m->size - (char *)a);
}

static void message_end(struct message *m, struct nlmsghdr *h) {
    h->nlmsg_len = (uint32_t)(m->u.bytes + m->size - (char *)h);
}

/* Sends all messages at once; the last one asks for the acknowledgement (an earlier failure answers first). */
static void message_send(struct message *m) {
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    char answer[1024];
    struct nlmsghdr *h = (struct nlmsghdr *)answer;

    CHECK(fd);
    CHECK(send(fd, m->u.bytes, m->size, 0));
    CHECK(recv(fd, answer, sizeof(answer), 0));
    errno = -((struct nlmsgerr *)NLMSG_DATA(h))->error;
    CHECK(errno ? -1 : 0);
    close(fd);
}

/* Parent: one message makes the pair, puts our end on the bridge and up, and the other end into the child's namespace. */
static void pair_make(const struct options *o, pid_t child) {
    struct message m = {0};
    struct ifinfomsg link = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP}, peer = {0};
    uint32_t master = if_nametoindex(o->bridge), pid = (uint32_t)child;
    struct nlmsghdr *h = message_begin(&m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, &link, sizeof(link));
    struct rtattr *info, *data, *other;
    char name[IFNAMSIZ];

    (void)snprintf(name, sizeof(name), "fl%d", child);
    attribute(&m, IFLA_IFNAME, name, strlen(name) + 1);
    attribute(&m, IFLA_MASTER, &master, sizeof(master));
    info = attribute(&m, IFLA_LINKINFO, NULL, 0);
    attribute(&m, IFLA_INFO_KIND, "veth", 4);
    data = attribute(&m, IFLA_INFO_DATA, NULL, 0);
    other = attribute(&m, VETH_INFO_PEER, NULL, 0);
    message_add(&m, &peer, sizeof(peer));
    attribute(&m, IFLA_IFNAME, "eth0", 5);
    attribute(&m, IFLA_NET_NS_PID, &pid, sizeof(pid));
    attribute_end(&m, other);
    attribute_end(&m, data);
    attribute_end(&m, info);
    message_end(&m, h);
    message_send(&m);
}

/* Child: loopback up, address, interface up, default route, in one send. */
static void interface_configure(const struct options *o) {
    struct message m = {0};
    uint32_t index = if_nametoindex("eth0");
    struct ifinfomsg lo = {.ifi_index = 1, .ifi_flags = IFF_UP, .ifi_change = IFF_UP},
                     eth = {.ifi_index = (int)index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    struct ifaddrmsg address = {.ifa_family = AF_INET, .ifa_prefixlen = (uint8_t)o->prefix, .ifa_index = index};
    struct rtmsg route = {.rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_BOOT, .rtm_type = RTN_UNICAST};
    struct in_addr a, g;
    struct nlmsghdr *h;

    inet_pton(AF_INET, o->address, &a);
    inet_pton(AF_INET, o->gateway, &g);
    h = message_begin(&m, RTM_NEWLINK, 0, &lo, sizeof(lo));
    message_end(&m, h);
    h = message_begin(&m, RTM_NEWADDR, NLM_F_CREATE, &address, sizeof(address));
    attribute(&m, IFA_LOCAL, &a, sizeof(a));
    attribute(&m, IFA_ADDRESS, &a, sizeof(a));
    message_end(&m, h);
    h = message_begin(&m, RTM_NEWLINK, 0, &eth, sizeof(eth));
    message_end(&m, h);
    h = message_begin(&m, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_ACK, &route, sizeof(route));
    attribute(&m, RTA_GATEWAY, &g, sizeof(g));
    message_end(&m, h);
    message_send(&m);
}

/* --- cgroups --------------------------------------------------------------------------------------------------------------------
 */

static int cgroup_dirs[HIERARCHIES];

static void text_write(int dir, const char *name, const char *text) {
    int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);

    CHECK(fd);
    CHECK(write(fd, text, strlen(text)));
    close(fd);
}

static void text_copy(int from, int to, const char *name) {
    char text[256];
    int fd = openat(from, name, O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, text, sizeof(text) - 1);

    close(fd);
    text[n > 0 ? n : 0] = '\0';
    text_write(to, name, text);
}

static void cgroups_make(const char *name) {
    static const char *const allowed[] = {"c *:* m",   "b *:* m",   "c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm",
                                          "c 1:8 rwm", "c 1:9 rwm", "c 5:0 rwm", "c 5:2 rwm", "c 136:* rwm"};
    char path[256];

    for (size_t i = 0; i < HIERARCHIES; i++) {
        (void)snprintf(path, sizeof(path), "/sys/fs/cgroup/%s/%s", hierarchies[i], name);
        CHECK(mkdir(path, 0755));
        CHECK(cgroup_dirs[i] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (strcmp(hierarchies[i], "cpuset") == 0) {
            int parent = openat(cgroup_dirs[i], "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

            text_copy(parent, cgroup_dirs[i], "cpuset.cpus");
            text_copy(parent, cgroup_dirs[i], "cpuset.mems");
            close(parent);
        }
        if (strcmp(hierarchies[i], "devices") == 0) {
            text_write(cgroup_dirs[i], "devices.deny", "a");
            for (size_t d = 0; d < sizeof(allowed) / sizeof(allowed[0]); d++)
                text_write(cgroup_dirs[i], "devices.allow", allowed[d]);
        }
    }
}

/* The caller joins by itself: "0" into `tasks` moves one thread that is the writer, for which the kernel (5.17) needs no global
 * lock. "PID" into `cgroup.procs` takes cgroup_threadgroup_rwsem, which after a pause waits 10 to 30 ms for an RCU grace period. */
static void cgroups_join(void) {
    for (size_t i = 1; i < HIERARCHIES; i++) /* [0], the v2 one, was joined by clone */
        text_write(cgroup_dirs[i], "tasks", "0");
}

static void cgroups_remove(const char *name) {
    char path[256];

    for (size_t i = 0; i < HIERARCHIES; i++) {
        (void)snprintf(path, sizeof(path), "/sys/fs/cgroup/%s/%s", hierarchies[i], name);
        close(cgroup_dirs[i]);
        CHECK(rmdir(path));
    }
}

/* --- one life
 * ---------------------------------------------------------------------------------------------------------------------- */

static void privileges_drop(const struct options *o) {
    static const uint32_t kept = 0xa80425fb; /* Docker's fourteen */
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{.effective = kept, .permitted = kept}};

    for (int cap = 0; cap <= CAP_LAST_CAP; cap++)
        if (cap > 31 || !(kept & (1u << cap)))
            CHECK(prctl(PR_CAPBSET_DROP, cap, 0, 0, 0));
    if (o->filter.len)
        CHECK(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW * 0, &o->filter));
    CHECK(syscall(SYS_capset, &header, data));
}

static void child(const struct options *o, const char *name, int ready) {
    double t0 = now_us(), t1, t2;
    char path[512];
    uint64_t go;
    int dir;

    CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL));
    /* Opened anew: overlay takes only directories on mounts of the namespace that it is made in (clone_private_mount). */
    (void)snprintf(path, sizeof(path), "%s/%s", o->dir, name);
    CHECK(dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    cgroups_join();
    CHECK(unshare(CLONE_NEWCGROUP));
    root_file_system(o, dir);
    CHECK(sethostname("floor", 5));
    t1 = now_us();
    if (o->bridge)
        CHECK(read(ready, &go, sizeof(go)));
    t2 = now_us();
    if (o->bridge)
        interface_configure(o);
    privileges_drop(o);
    if (o->times)
        fprintf(stderr, "child: mounts %.0f, waited for the parent %.0f, the rest %.0f\n", t1 - t0, t2 - t1, now_us() - t2);
    CHECK(syscall(SYS_close_range, 3, ~0U, 0));
    execve(o->command[0], o->command, (char *[]){"PATH=/bin", NULL});
    CHECK(-1);
}

static void dir_make(int parent, const char *name, bool only) {
    int fd;

    CHECK(mkdirat(parent, name, 0755));
    if (only)
        return;
    CHECK(fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    CHECK(mkdirat(fd, "upper", 0755));
    CHECK(mkdirat(fd, "work", 0755));
    CHECK(mkdirat(fd, "root", 0755));
    for (size_t i = 0; i < 3; i++)
        close(openat(fd, ((const char *[]){"resolv.conf", "hosts", "hostname"})[i], O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
    close(fd);
}

/* Unlinking is nobody's waiting time: a grandchild does it. */
static void trash_remove(int parent, const char *name) {
    static const char *const files[] = {"resolv.conf",           "hosts",           "hostname",
                                        "upper/etc/resolv.conf", "upper/etc/hosts", "upper/etc/hostname"};
    static const char *const dirs[] = {"upper/etc", "upper/dev", "upper/proc", "upper/sys", "upper",
                                       "work/work", "work",      "root",       "."};
    char path[512];

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", name, files[i]);
        unlinkat(parent, path, 0);
    }
    for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", name, i + 1 < sizeof(dirs) / sizeof(dirs[0]) ? dirs[i] : "");
        unlinkat(parent, path, AT_REMOVEDIR);
    }
}

static int life(const struct options *o) {
    double t[6];
    char name[64], trash[80];
    int parent, ready, status;
    uint64_t go = 1;
    struct clone_args args = {.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_INTO_CGROUP,
                              .exit_signal = SIGCHLD};
    pid_t pid;

    t[0] = now_us();
    CHECK(parent = open(o->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    (void)snprintf(name, sizeof(name), "floor-%d-%ld", getpid(), (long)t[0]);
    (void)snprintf(trash, sizeof(trash), "trash-%s", name);
    dir_make(parent, name, o->bundle);
    cgroups_make(name);
    CHECK(ready = eventfd(0, EFD_CLOEXEC));
    args.cgroup = (uint64_t)cgroup_dirs[0];
    t[1] = now_us();
    pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
    CHECK(pid);
    if (pid == 0)
        child(o, name, ready);
    t[2] = now_us();
    if (o->bridge)
        pair_make(o, pid);
    CHECK(write(ready, &go, sizeof(go)));
    t[3] = now_us();
    CHECK(waitpid(pid, &status, 0));
    t[4] = now_us();
    cgroups_remove(name);
    CHECK(renameat(parent, name, parent, trash));
    t[5] = now_us();
    if (o->times)
        fprintf(stderr, "parent: make %.0f, clone %.0f, pair %.0f, ran %.0f, undo %.0f, all %.0f µs\n", t[1] - t[0], t[2] - t[1],
                t[3] - t[2], t[4] - t[3], t[5] - t[4], t[5] - t[0]);
    close(ready);
    if (fork() == 0) {
        trash_remove(parent, trash);
        _exit(0);
    }
    close(parent);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* --- a second process in a running container
 * --------------------------------------------------------------------------------------- */

static int join(const struct options *o, pid_t target) {
    int pidfd = (int)syscall(SYS_pidfd_open, target, 0), status;
    struct clone_args args = {.flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD};
    char path[64], line[4096], *save = NULL;
    ssize_t n;
    pid_t pid;
    int fd;

    CHECK(pidfd);
    (void)snprintf(path, sizeof(path), "/proc/%d/cgroup", target);
    CHECK(fd = open(path, O_RDONLY | O_CLOEXEC));
    n = read(fd, line, sizeof(line) - 1);
    CHECK(n);
    line[n] = '\0';
    close(fd);
    for (char *l = strtok_r(line, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
        char *controller = strchr(l, ':') + 1, *where = strchr(controller, ':');
        char file[512];

        *where++ = '\0';
        if (strcmp(controller, "name=systemd") == 0)
            continue;
        if (*controller) {
            (void)snprintf(file, sizeof(file), "/sys/fs/cgroup/%s%s/tasks", controller, where);
            CHECK(fd = open(file, O_WRONLY | O_CLOEXEC));
            CHECK(write(fd, "0", 1));
            close(fd);
        } else { /* cgroup.procs of v2 would wait: be born there */
            (void)snprintf(file, sizeof(file), "/sys/fs/cgroup/unified%s", where);
            CHECK(fd = open(file, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
            args.cgroup = (uint64_t)fd;
        }
    }
    CHECK(setns(pidfd, CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP));
    pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
    CHECK(pid);
    if (pid == 0) {
        privileges_drop(o);
        execve(o->command[0], o->command, (char *[]){"PATH=/bin", NULL});
        _exit(127);
    }
    CHECK(waitpid(pid, &status, 0));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static char **options_parse(struct options *o, char **argv) {
    for (; *argv && **argv == '-'; argv++) {
        switch ((*argv)[1]) {
        case 'b':
            o->bridge = argv[1];
            o->address = argv[2];
            o->gateway = argv[3];
            if (strchr(o->address, '/')) {
                o->prefix = (unsigned)strtoul(strchr(o->address, '/') + 1, NULL, 10);
                *strchr(o->address, '/') = '\0';
            }
            argv += 3;
            break;
        case 'f': o->filter = filter_read(*++argv); break;
        case 'm': o->minimal = true; break;
        case 'r': o->bundle = true; break;
        case 't': o->times = true; break;
        }
    }
    return argv;
}

/* What `stop` of a process that ends at once comes to: the signal, and waiting for the end. */
static int stop(pid_t pid) {
    struct pollfd p = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};

    if (p.fd < 0 || syscall(SYS_pidfd_send_signal, p.fd, SIGTERM, NULL, 0) < 0)
        return 1;
    return poll(&p, 1, -1) < 0;
}

int main(int argc, char **argv) {
    struct options o = {.prefix = 16};
    long times = 1;
    int status = 0;

    if (argc > 3 && strcmp(argv[1], "loop") == 0) {
        times = strtol(argv[2], NULL, 10);
        argv += 2;
        argc -= 2;
    }
    if (argc > 3 && strcmp(argv[1], "exec") == 0) {
        o.command = options_parse(&o, argv + 3);
        if (!o.filter.len)
            o.filter = filter_default();
        return join(&o, (pid_t)strtol(argv[2], NULL, 10));
    }
    if (argc == 3 && strcmp(argv[1], "stop") == 0)
        return stop((pid_t)strtol(argv[2], NULL, 10));
    if (argc < 5 || strcmp(argv[1], "run") != 0)
        return argc == 2 && strcmp(argv[1], "nothing") == 0 ? 0 : 2;
    o.lowers = argv[2];
    o.dir = argv[3];
    o.command = options_parse(&o, argv + 4);
    if (!o.filter.len && !o.bundle)
        o.filter = filter_default();
    while (times-- > 0)
        status = life(&o);
    return status;
}
