/* How a system call is shown: the way strace writes it, so that the two can be compared and a reader can look names up. */
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>

#include "base/error.h"
#include "kernel/sys.h"

#define TEXT_SHOWN 128 /* bytes of a string */
#define DATA_SHOWN 64  /* bytes of data that is written */
#define ARGS_SHOWN 16  /* of a command line */

enum kind {
    KIND__, /* no argument */
    KIND_ARGV,
    KIND_AT,
    KIND_ATTR,
    KIND_CAPS,
    KIND_CLONE,
    KIND_CLONE_FLAGS,
    KIND_CLOSE_RANGE,
    KIND_D, /* directory descriptor */
    KIND_DATA,
    KIND_DEV,
    KIND_ENVP,
    KIND_FSCONFIG,
    KIND_HOW,
    KIND_I,
    KIND_IOCTL,
    KIND_MODE,
    KIND_MOUNT_ATTR,
    KIND_MOVE,
    KIND_O, /* octal */
    KIND_OPEN,
    KIND_P, /* pointer to what is not shown */
    KIND_PRCTL,
    KIND_RLIM,
    KIND_RLIMIT,
    KIND_S,
    KIND_SECCOMP,
    KIND_SOCKADDR,
    KIND_SP, /* string or nothing */
    KIND_TREE,
    KIND_U,
    KIND_H,
};

#define SYS_DESCRIBE(name_, a, b, c, d, e, f)                                                                                      \
    [SYS_CALL_##name_] = {#name_, {KIND_##a, KIND_##b, KIND_##c, KIND_##d, KIND_##e, KIND_##f}},
static const struct {
    const char *name;
    uint8_t kind[6];
} calls[SYS_CALL_COUNT] = {SYS_CALLS(SYS_DESCRIBE)};

struct word {
    uint64_t value;
    const char *name;
};
#define WORD(w)                                                                                                                    \
    { (uint64_t)(w), #w }
#define WORDS_END                                                                                                                  \
    { 0, NULL }

static const struct word at_words[] = {WORD(AT_EMPTY_PATH), WORD(AT_SYMLINK_NOFOLLOW), WORD(AT_RECURSIVE), WORD(AT_REMOVEDIR),
                                       WORDS_END};
static const struct word open_words[] = {WORD(O_WRONLY),  WORD(O_RDWR),   WORD(O_CREAT),    WORD(O_EXCL),      WORD(O_NOCTTY),
                                         WORD(O_TRUNC),   WORD(O_APPEND), WORD(O_NONBLOCK), WORD(O_DIRECTORY), WORD(O_NOFOLLOW),
                                         WORD(O_CLOEXEC), WORD(O_PATH),   WORDS_END};
static const struct word tree_words[] = {{1, "OPEN_TREE_CLONE"}, WORD(O_CLOEXEC),           WORD(AT_EMPTY_PATH),
                                         WORD(AT_RECURSIVE),     WORD(AT_SYMLINK_NOFOLLOW), WORDS_END};
static const struct word move_words[] = {WORD(MOVE_MOUNT_F_EMPTY_PATH), WORD(MOVE_MOUNT_T_EMPTY_PATH), WORDS_END};
static const struct word attr_words[] = {WORD(MOUNT_ATTR_RDONLY),      WORD(MOUNT_ATTR_NOSUID),
                                         WORD(MOUNT_ATTR_NODEV),       WORD(MOUNT_ATTR_NOEXEC),
                                         WORD(MOUNT_ATTR_NOATIME),     WORD(MOUNT_ATTR_STRICTATIME),
                                         WORD(MOUNT_ATTR_NODIRATIME),  WORD(MOUNT_ATTR_IDMAP),
                                         WORD(MOUNT_ATTR_NOSYMFOLLOW), WORDS_END};
static const struct word clone_words[] = {
    WORD(CLONE_NEWTIME),     WORD(CLONE_NEWNS),  WORD(CLONE_NEWCGROUP), WORD(CLONE_NEWUTS), WORD(CLONE_NEWIPC),
    WORD(CLONE_NEWUSER),     WORD(CLONE_NEWPID), WORD(CLONE_NEWNET),    WORD(CLONE_PARENT), WORD(CLONE_PIDFD),
    WORD(CLONE_INTO_CGROUP), WORD(CLONE_VFORK),  WORD(CLONE_VM),        WORDS_END};
static const struct word resolve_words[] = {WORD(RESOLVE_NO_XDEV), WORD(RESOLVE_NO_MAGICLINKS), WORD(RESOLVE_NO_SYMLINKS),
                                            WORD(RESOLVE_BENEATH), WORD(RESOLVE_IN_ROOT),       WORDS_END};
static const struct word close_range_words[] = {WORD(CLOSE_RANGE_CLOEXEC), WORD(CLOSE_RANGE_UNSHARE), WORDS_END};
static const struct word propagation_words[] = {
    {1 << 18, "MS_PRIVATE"}, {1 << 19, "MS_SLAVE"}, {1 << 20, "MS_SHARED"}, {1 << 17, "MS_UNBINDABLE"}, WORDS_END};
/* One of these, not a sum. */
static const struct word fsconfig_words[] = {WORD(FSCONFIG_SET_FLAG),   WORD(FSCONFIG_SET_STRING),      WORD(FSCONFIG_SET_BINARY),
                                             WORD(FSCONFIG_SET_PATH),   WORD(FSCONFIG_SET_PATH_EMPTY),  WORD(FSCONFIG_SET_FD),
                                             WORD(FSCONFIG_CMD_CREATE), WORD(FSCONFIG_CMD_RECONFIGURE), WORDS_END};
static const struct word prctl_words[] = {
    WORD(PR_SET_DUMPABLE), WORD(PR_SET_PDEATHSIG),  WORD(PR_SET_NO_NEW_PRIVS), WORD(PR_CAPBSET_READ), WORD(PR_CAPBSET_DROP),
    WORD(PR_SET_KEEPCAPS), WORD(PR_SET_SECUREBITS), WORD(PR_CAP_AMBIENT),      WORD(PR_SET_NAME),     WORDS_END};
static const struct word seccomp_words[] = {WORD(SECCOMP_SET_MODE_FILTER), WORDS_END};
static const struct word rlimit_words[] = {WORD(RLIMIT_CPU),
                                           WORD(RLIMIT_FSIZE),
                                           WORD(RLIMIT_DATA),
                                           WORD(RLIMIT_STACK),
                                           WORD(RLIMIT_CORE),
                                           WORD(RLIMIT_RSS),
                                           WORD(RLIMIT_NPROC),
                                           WORD(RLIMIT_NOFILE),
                                           WORD(RLIMIT_MEMLOCK),
                                           WORD(RLIMIT_AS),
                                           WORD(RLIMIT_LOCKS),
                                           WORD(RLIMIT_SIGPENDING),
                                           WORD(RLIMIT_MSGQUEUE),
                                           WORD(RLIMIT_NICE),
                                           WORD(RLIMIT_RTPRIO),
                                           WORD(RLIMIT_RTTIME),
                                           WORDS_END};
static const struct word ioctl_words[] = {WORD(TIOCSPTLCK), WORD(TIOCGPTPEER), WORD(TIOCSCTTY), WORD(TIOCSWINSZ), WORDS_END};

static void add_flags(const struct word *w, uint64_t value, const char *zero, struct buf *out) {
    size_t start = out->size;

    for (; w->name; w++) {
        if ((value & w->value) != w->value)
            continue;
        buf_printf(out, "%s%s", out->size > start ? "|" : "", w->name);
        value &= ~w->value;
    }
    if (value)
        buf_printf(out, "%s%#llx", out->size > start ? "|" : "", (unsigned long long)value);
    else if (out->size == start)
        buf_add_str(out, zero);
}

static void add_one(const struct word *w, uint64_t value, struct buf *out) {
    for (; w->name; w++)
        if (w->value == value) {
            buf_add_str(out, w->name);
            return;
        }
    buf_printf(out, "%#llx", (unsigned long long)value);
}

static void add_quoted(const char *s, size_t n, size_t max, struct buf *out) {
    buf_add_char(out, '"');
    for (size_t i = 0; i < MIN_OF(n, max); i++) {
        unsigned char c = (unsigned char)s[i];

        if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else if (c == '\n')
            buf_add_str(out, "\\n");
        else if (c == '\t')
            buf_add_str(out, "\\t");
        else if (c < 0x20 || c >= 0x7f)
            buf_printf(out, "\\%o", c);
        else
            buf_add_char(out, (char)c);
    }
    buf_add_str(out, n > max ? "\"..." : "\"");
}

static void add_string(const char *s, struct buf *out) {
    if (s)
        add_quoted(s, strlen(s), TEXT_SHOWN, out);
    else
        buf_add_str(out, "NULL");
}

static void add_argv(const char *const *v, struct buf *out) {
    buf_add_char(out, '[');
    for (size_t i = 0; v[i]; i++) {
        if (i == ARGS_SHOWN) {
            buf_add_str(out, ", ...");
            break;
        }
        buf_add_str(out, i > 0 ? ", " : "");
        add_string(v[i], out);
    }
    buf_add_char(out, ']');
}

static void add_how(const struct open_how *how, struct buf *out) {
    buf_add_str(out, "{flags=");
    if ((how->flags & O_ACCMODE) == O_RDONLY && !(how->flags & O_PATH))
        buf_add_str(out, "O_RDONLY|");
    add_flags(open_words, how->flags, "0", out);
    if (how->mode)
        buf_printf(out, ", mode=0%llo", (unsigned long long)how->mode);
    buf_add_str(out, ", resolve=");
    add_flags(resolve_words, how->resolve, "0", out);
    buf_add_char(out, '}');
}

static void add_mount_attr(const struct mount_attr *m, struct buf *out) {
    buf_add_str(out, "{attr_set=");
    add_flags(attr_words, m->attr_set, "0", out);
    buf_add_str(out, ", attr_clr=");
    add_flags(attr_words, m->attr_clr, "0", out);
    buf_add_str(out, ", propagation=");
    add_flags(propagation_words, m->propagation, "0", out);
    buf_printf(out, ", userns_fd=%llu}", (unsigned long long)m->userns_fd);
}

static void add_clone(const struct clone_args *c, struct buf *out) {
    buf_add_str(out, "{flags=");
    add_flags(clone_words, c->flags, "0", out);
    buf_printf(out, ", exit_signal=%llu", (unsigned long long)c->exit_signal);
    if (c->flags & CLONE_INTO_CGROUP)
        buf_printf(out, ", cgroup=%llu", (unsigned long long)c->cgroup);
    buf_add_char(out, '}');
}

static void add_caps(const struct __user_cap_data_struct *d, struct buf *out) {
    buf_printf(out, "{effective=%#llx, permitted=%#llx, inheritable=%#llx}",
               (unsigned long long)d[0].effective | (unsigned long long)d[1].effective << 32,
               (unsigned long long)d[0].permitted | (unsigned long long)d[1].permitted << 32,
               (unsigned long long)d[0].inheritable | (unsigned long long)d[1].inheritable << 32);
}

static void add_rlim(const struct rlimit64 *l, struct buf *out) {
    if (!l)
        buf_add_str(out, "NULL");
    else
        buf_printf(out, "{rlim_cur=%lld, rlim_max=%lld}", (long long)l->rlim_cur, (long long)l->rlim_max);
}

static size_t env_count(const char *const *v) {
    size_t n = 0;

    while (v && v[n])
        n++;
    return n;
}

static void add_argument(const struct sys_event *ev, enum kind kind, long v, long next, struct buf *out) {
    const void *p = (const void *)v;

    switch (kind) {
    case KIND__: break;
    case KIND_ARGV: add_argv(p, out); break;
    case KIND_AT: add_flags(at_words, (unsigned)v, "0", out); break;
    case KIND_ATTR: add_flags(attr_words, (unsigned)v, "0", out); break;
    case KIND_CAPS: add_caps(p, out); break;
    case KIND_CLONE: add_clone(p, out); break;
    case KIND_CLONE_FLAGS: add_flags(clone_words, (unsigned)v, "0", out); break;
    case KIND_CLOSE_RANGE: add_flags(close_range_words, (unsigned)v, "0", out); break;
    case KIND_D:
        if ((int)v == AT_FDCWD)
            buf_add_str(out, "AT_FDCWD");
        else
            buf_printf(out, "%d", (int)v);
        break;
    case KIND_DATA: add_quoted(p, (size_t)next, DATA_SHOWN, out); break;
    case KIND_DEV: buf_printf(out, "makedev(%#x, %#x)", major((unsigned)v), minor((unsigned)v)); break;
    case KIND_ENVP: buf_printf(out, "[/* %zu vars */]", env_count(p)); break;
    case KIND_FSCONFIG: add_one(fsconfig_words, (unsigned)v, out); break;
    case KIND_HOW: add_how(p, out); break;
    case KIND_I: buf_printf(out, "%d", (int)v); break;
    case KIND_IOCTL: add_one(ioctl_words, (unsigned)v, out); break;
    case KIND_MODE:
        buf_add_str(out, S_ISCHR((mode_t)v) ? "S_IFCHR|" : S_ISBLK((mode_t)v) ? "S_IFBLK|" : S_ISFIFO((mode_t)v) ? "S_IFIFO|" : "");
        buf_printf(out, "0%o", (unsigned)v & 07777);
        break;
    case KIND_MOUNT_ATTR: add_mount_attr(p, out); break;
    case KIND_MOVE: add_flags(move_words, (unsigned)v, "0", out); break;
    case KIND_O: buf_printf(out, "%#o", (unsigned)v); break;
    case KIND_OPEN:
        if ((v & O_ACCMODE) == O_RDONLY && ev->call == SYS_CALL_openat && !(v & O_PATH))
            buf_add_str(out, "O_RDONLY|");
        add_flags(open_words, (unsigned)v, "0", out);
        break;
    case KIND_P:
    case KIND_SOCKADDR:
        if (p)
            buf_printf(out, "%#lx", (unsigned long)v);
        else
            buf_add_str(out, "NULL");
        break;
    case KIND_PRCTL: add_one(prctl_words, (unsigned)v, out); break;
    case KIND_RLIM: add_rlim(p, out); break;
    case KIND_RLIMIT: add_one(rlimit_words, (unsigned)v, out); break;
    case KIND_SP:
    case KIND_S: add_string(p, out); break;
    case KIND_SECCOMP: add_one(seccomp_words, (unsigned)v, out); break;
    case KIND_TREE: add_flags(tree_words, (unsigned)v, "0", out); break;
    case KIND_U: buf_printf(out, "%lu", (unsigned long)v); break;
    case KIND_H: buf_printf(out, "%#lx", (unsigned long)v); break;
    }
}

const char *sys_call_name(enum sys_call call) {
    return calls[call].name;
}

void sys_event_format(const struct sys_event *ev, struct buf *out) {
    buf_printf(out, "%s(", calls[ev->call].name);
    for (size_t i = 0; i < 6 && calls[ev->call].kind[i] != KIND__; i++) {
        buf_add_str(out, i > 0 ? ", " : "");
        add_argument(ev, calls[ev->call].kind[i], ev->arg[i], i < 5 ? ev->arg[i + 1] : 0, out);
    }
    buf_add_char(out, ')');
    if (ev->before)
        return;
    if (ev->call == SYS_CALL_umask)
        buf_printf(out, " = %03o", (unsigned)ev->result);
    else if (ev->result >= 0)
        buf_printf(out, " = %ld", ev->result);
    else
        buf_printf(out, " = -1 %s (%s)", errno_name((int)ev->result), errno_text((int)ev->result));
}
