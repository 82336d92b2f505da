#include "kernel/landlock.h"

#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "kernel/sys.h"

/* The kernel's interface as of ABI 6; headers of the build machine may be older than the kernel it runs on. */
#define FS_EXECUTE    (1ULL << 0)
#define FS_WRITE_FILE (1ULL << 1)
#define FS_READ_FILE  (1ULL << 2)
#define FS_READ_DIR   (1ULL << 3)
#define FS_REMOVE_DIR (1ULL << 4)
#define FS_REMOVE     (1ULL << 5)
#define FS_MAKE_CHAR  (1ULL << 6)
#define FS_MAKE_DIR   (1ULL << 7)
#define FS_MAKE_REG   (1ULL << 8)
#define FS_MAKE_SOCK  (1ULL << 9)
#define FS_MAKE_FIFO  (1ULL << 10)
#define FS_MAKE_BLOCK (1ULL << 11)
#define FS_MAKE_SYM   (1ULL << 12)
#define FS_REFER      (1ULL << 13)
#define FS_TRUNCATE   (1ULL << 14)
#define FS_IOCTL_DEV  (1ULL << 15)

#define NET_BIND    (1ULL << 0)
#define NET_CONNECT (1ULL << 1)

#define SCOPE_ALL (LANDLOCK_SCOPE_ABSTRACT | LANDLOCK_SCOPE_SIGNALS) /* our numbers are the kernel's */

#define CREATE_VERSION   1U
#define RULE_PATH        1
#define RIGHTS_OF_A_FILE (FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)

struct ruleset {
    uint64_t fs;
    uint64_t net;
    uint64_t scope;
};

struct path_rule {
    uint64_t access;
    int32_t fd;
} __attribute__((packed));

/* What each ABI knows. A right that is not handled stays allowed, so the list is cut down, never grown. */
static const struct {
    uint64_t fs, net, scope;
    size_t size; /* of the attribute: an older kernel refuses fields that it does not know */
} abis[] = {
    {0, 0, 0, 0},
    {FS_REFER - 1, 0, 0, 8},
    {FS_TRUNCATE - 1, 0, 0, 8},
    {FS_IOCTL_DEV - 1, 0, 0, 8},
    {FS_IOCTL_DEV - 1, NET_BIND | NET_CONNECT, 0, 16},
    {(FS_IOCTL_DEV << 1) - 1, NET_BIND | NET_CONNECT, 0, 16},
    {(FS_IOCTL_DEV << 1) - 1, NET_BIND | NET_CONNECT, SCOPE_ALL, 24},
};
#define ABI_KNOWN ((int)ARRAY_SIZE(abis) - 1)

static const struct {
    unsigned access;
    uint64_t rights;
} meanings[] = {
    {LANDLOCK_READ, FS_READ_FILE | FS_READ_DIR},
    {LANDLOCK_WRITE, FS_WRITE_FILE | FS_REMOVE_DIR | FS_REMOVE | FS_MAKE_DIR | FS_MAKE_REG | FS_MAKE_SOCK | FS_MAKE_FIFO |
                         FS_MAKE_SYM | FS_REFER | FS_TRUNCATE},
    {LANDLOCK_DEVICES, FS_MAKE_CHAR | FS_MAKE_BLOCK},
    {LANDLOCK_EXECUTE, FS_EXECUTE},
};

int landlock_abi(void) {
    int abi = sys_landlock_create_ruleset(NULL, 0, CREATE_VERSION);

    return MAX_OF(abi, 0);
}

static int add_tree(int ruleset, const struct landlock_tree *tree, uint64_t handled, struct error *e) {
    struct path_rule rule = {.fd = tree->fd};
    struct stat st;

    for (size_t i = 0; i < ARRAY_SIZE(meanings); i++)
        if (tree->access & meanings[i].access)
            rule.access |= meanings[i].rights & handled;
    if (fstat(tree->fd, &st) < 0)
        return error_errno(e, -errno, "look at a tree of the Landlock rules");
    if (!S_ISDIR(st.st_mode))
        rule.access &= RIGHTS_OF_A_FILE;
    if (rule.access == 0)
        return 0;
    if (syscall(SYS_landlock_add_rule, ruleset, RULE_PATH, &rule, 0) < 0)
        return error_errno(e, -errno, "add a Landlock rule");
    return 0;
}

static int restrict_self(int ruleset, struct error *e) {
    int r = sys_landlock_restrict_self(ruleset, 0);

    return r < 0 ? error_errno(e, r, "enter the Landlock domain") : 0;
}

static int make_ruleset(const struct ruleset *rules, size_t size, struct error *e) {
    int fd = sys_landlock_create_ruleset(rules, size, 0); /* close-on-exec by itself */

    return fd < 0 ? error_errno(e, fd, "make a Landlock ruleset") : fd;
}

int landlock_enter(const struct landlock_tree *trees, size_t n, enum landlock_network network, struct error *e) {
    int abi = MIN_OF(landlock_abi(), ABI_KNOWN);
    struct ruleset rules = {.fs = abis[abi].fs, .net = abis[abi].net, .scope = abis[abi].scope};
    _cleanup_fd_ int fd = -1;
    int r;

    for (size_t i = 0; i < n; i++)
        if (abi == 1 && (trees[i].access & LANDLOCK_WRITE))
            return 0;
    if (abi == 0)
        return 0;
    if (network == LANDLOCK_NETWORK_ANY)
        rules.net = 0;
    else if (network == LANDLOCK_NETWORK_CONNECT)
        rules.net &= NET_BIND;

    fd = make_ruleset(&rules, abis[abi].size, e);
    if (fd < 0)
        return fd;
    for (size_t i = 0; i < n; i++) {
        r = add_tree(fd, &trees[i], rules.fs, e);
        if (r < 0)
            return r;
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_errno(e, -errno, "set no_new_privs");
    r = restrict_self(fd, e);
    return r < 0 ? r : abi;
}

int landlock_enter_scope(unsigned scopes, struct error *e) {
    struct ruleset rules = {.scope = scopes & SCOPE_ALL};
    int abi = landlock_abi();
    _cleanup_fd_ int fd = -1;
    int r;

    if (abi < 6)
        return 0;
    fd = make_ruleset(&rules, sizeof(rules), e);
    if (fd < 0)
        return fd;
    r = restrict_self(fd, e);
    return r < 0 ? r : abi;
}
