/* Running as an ordinary user: the calling process becomes root of a user namespace of its own, in which the rest of the engine
 * works as it does for root. Ids come from /etc/subuid and /etc/subgid by newuidmap(1) and newgidmap(1); without them, one id only.
 *
 * Sources: user_namespaces(7), subuid(5), newuidmap(1). */
#pragma once

#include <limits.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/error.h"

#define ROOTLESS_RANGES_MAX 16

struct id_range {
    uint32_t start;
    uint32_t count;
};

struct rootless {
    bool active;    /* this process is root of a user namespace, not of the host */
    bool single_id; /* only the user's own id is mapped (to 0): nobody else can be inside, groups cannot be changed */
    bool joined;    /* the namespaces are those of a monitor, or of the keeper of networks, that lives */
    uid_t uid;      /* who the user is outside */
    gid_t gid;
    uint32_t uids, gids; /* how many are mapped, from 0 on */
};

/* As root (of the host, or of a user namespace that somebody else made) it only fills *ret. An ordinary user becomes uid 0 of a
 * user namespace, with a mount namespace beside it: that of a monitor of his which lives (found below `run_root`, absolute), so
 * that all his containers are in one and can be joined, or else a new one. `starts`: this process is about to start a container; it
 * keeps others from making a second namespace until rootless_entered(). The working directory stays.
 *
 * To be called while the process has one thread, is dumpable (newuidmap looks at the owner of /proc/PID) and before it opens what
 * it needs the new rights for. Errors say what the host does not allow, and the hint what to do about it. */
int rootless_enter(const char *run_root, bool starts, struct rootless *ret, struct error *e);
/* The container's monitor runs (or will not): others may enter. */
void rootless_entered(void);

/* Why a user has no ids but his own, and what to do about it, in one clause: a program that is missing, a file without (usable)
 * ranges for him. NULL: nothing of that kind is to be seen. */
const char *rootless_why_single(uid_t uid, struct arena *a);
/* Pure: why the text of such a file (named `file`) gives the user no range; NULL: it does. */
const char *rootless_why_no_range(const char *file, const char *text, const char *name, uid_t uid, struct arena *a);

struct host_user {
    char name[256], home[PATH_MAX]; /* "" = not known */
};
/* By the host's passwd file itself: a static program cannot ask the name service. */
void rootless_host_user(uid_t uid, struct host_user *ret);

/* Pure: the ranges that a subuid(5) text gives to a user, by name (NULL = unknown) or number. Ranges that hold 0 or the user's own
 * id are left out: the kernel would let their owner become somebody real. */
size_t rootless_ranges(const char *text, const char *name, uid_t uid, struct id_range ranges[ROOTLESS_RANGES_MAX]);
/* Pure: how many ids the kernel's uid_map text maps; everything (4294967295) for the host itself. */
uint32_t rootless_ids_mapped(const char *uid_map);
