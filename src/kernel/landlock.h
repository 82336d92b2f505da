/* Landlock: a process gives up its own access to the file system, for good. Everything is denied but what lies below the given
 * trees. Needs no privilege. Kernel 5.13; what an older kernel lacks is left out (see landlock_enter), never an error.
 *
 * Source: landlock(7), Documentation/userspace-api/landlock.rst. */
#pragma once

#include "base/error.h"

enum landlock_access {
    LANDLOCK_READ = 1 << 0,    /* read files, list directories */
    LANDLOCK_WRITE = 1 << 1,   /* write, create, remove, rename, link, truncate: everything but device nodes and execution */
    LANDLOCK_DEVICES = 1 << 2, /* make device nodes (overlay's 0:0 whiteouts are such) */
    LANDLOCK_EXECUTE = 1 << 3, /* execve of what lies there; loading libraries needs only LANDLOCK_READ */
};

struct landlock_tree {
    int fd;          /* a directory (the tree below it) or one file; borrowed */
    unsigned access; /* enum landlock_access */
};

enum landlock_network {
    LANDLOCK_NETWORK_ANY,
    LANDLOCK_NETWORK_CONNECT, /* TCP may be connected, not bound (ABI 4, Linux 6.7) */
    LANDLOCK_NETWORK_NONE,    /* no TCP at all (ABI 4) */
};

/* The kernel's ABI version: 1 (5.13), 2 (5.19: rename and link between directories), 3 (6.2: truncate), 4 (6.7: TCP), 5 (6.10:
 * ioctl on devices), 6 (6.12: abstract sockets and signals)… 0: there is no Landlock, or it is not enabled. */
int landlock_abi(void);

/* Restricts the calling thread and its future children. Sets no_new_privs first, as the kernel demands. From ABI 6 on, signals and
 * abstract sockets do not leave the domain either.
 *
 * Returns the ABI that was applied, 0 when nothing was: there is no Landlock, or its ABI is 1 and a tree is writable (that ABI
 * refuses every link between two directories, which would break unpacking). Else a negative errno. */
int landlock_enter(const struct landlock_tree *trees, size_t n, enum landlock_network network, struct error *e);
enum landlock_scope {
    LANDLOCK_SCOPE_ABSTRACT = 1 << 0, /* abstract Unix sockets made outside the domain cannot be connected */
    LANDLOCK_SCOPE_SIGNALS = 1 << 1,  /* processes outside the domain cannot be signalled */
};
/* Confines what namespaces do not when the host's are shared, and nothing else (ABI 6). Needs CAP_SYS_ADMIN in the user namespace,
 * or no_new_privs, which is not set here. Same return values. */
int landlock_enter_scope(unsigned scopes, struct error *e);
