/* Whom a container's process runs as: the --user text, and the image's own passwd and group files. Pure: the caller reads the files
 * (engine/rootfs.h), as strangers wrote them.
 *
 * Grammar (stricter than Docker's, where a name of digits in passwd could make a number mean another user):
 *     user  = [ number | name ] [ ":" [ number | name ] ]      without the first: root; without the second: as the files say
 *     number = 1 to 10 decimal digits, below 4294967295 (-1 is no user, larger ones would wrap)
 *     name   = anything without ':' or control characters that is not all digits and does not begin with '-' or '+'
 */
#pragma once

#include "base/arena.h"
#include "base/error.h"

#define USER_FILE_MAX    ((size_t)1 << 20) /* bytes of a passwd or group file */
#define USER_ENTRIES_MAX 65536             /* lines that are looked at */

struct identity {
    uint32_t uid, gid;
    struct list groups; /* uint32_t: additional groups, without gid */
    const char *home;   /* "/" when passwd does not say */
    const char *name;   /* of the user; NULL when passwd does not know it */
};

/* `user` NULL or "" is root. passwd and group are whole files (NULL = the image has none). Additional groups are those of group
 * that name the user (when none was asked for after ':'), and those of group_add (names or numbers). -EINVAL: grammar; -ENOENT
 * "unable to find user x: no matching entries in passwd file". */
int identity_resolve(const char *user, const struct strs *group_add, const char *passwd, const char *group, struct arena *a,
                     struct identity *ret, struct error *e);
/* The number that text is, by the grammar above. -EINVAL: not a number; -ERANGE: too large. */
int user_number_parse(const char *text, size_t n, uint32_t *ret);
/* Does a passwd or group file have a line of this name, or (name NULL) of this number? */
bool user_file_has(const char *text, const char *name, uint32_t number);
