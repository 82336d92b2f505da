#include "model/user.h"

#include <ctype.h>
#include <string.h>

#define GROUPS_MAX 65536 /* NGROUPS_MAX of the kernel */

int user_number_parse(const char *text, size_t n, uint32_t *ret) {
    uint64_t v = 0;
    if (n == 0)
        return -EINVAL;
    for (size_t i = 0; i < n; i++)
        if (!isdigit((unsigned char)text[i]))
            return -EINVAL;
    if (n > 10)
        return -ERANGE;
    for (size_t i = 0; i < n; i++)
        v = v * 10 + (uint64_t)(text[i] - '0');
    if (v >= UINT32_MAX)
        return -ERANGE;
    *ret = (uint32_t)v;
    return 0;
}

/* One line of passwd or group, split at its colons in place. */
#define FIELDS_MAX 7
struct entry {
    const char *at[FIELDS_MAX];
    size_t n[FIELDS_MAX];
    size_t count;
};

/* The next line of at least `want` fields; false at the end. */
static bool entry_next(const char **text, size_t *left, size_t want, struct entry *ret) {
    while (*text && **text && *left > 0) {
        const char *line = *text;
        size_t size = strcspn(line, "\n");
        *text = line + size + (line[size] == '\n');
        (*left)--;
        struct entry e = {0};
        const char *end = line + size;
        while (line < end && isspace((unsigned char)*line)) /* also the '\r' of lines from elsewhere */
            line++;
        while (end > line && isspace((unsigned char)end[-1]))
            end--;
        for (const char *p = line; e.count < FIELDS_MAX; p += e.n[e.count - 1] + 1) {
            const char *colon = memchr(p, ':', (size_t)(end - p));
            e.at[e.count] = p;
            e.n[e.count++] = (size_t)((colon ? colon : end) - p);
            if (!colon)
                break;
        }
        /* "+" and "-" lines speak of NIS, which is not asked. */
        if (line < end && e.count >= want && e.n[0] > 0 && !strchr("#+-", line[0])) {
            *ret = e;
            return true;
        }
    }
    return false;
}

static bool field_is(const struct entry *e, size_t i, const char *text, size_t n) {
    return e->n[i] == n && memcmp(e->at[i], text, n) == 0;
}

static bool name_is_valid(const char *s, size_t n) {
    if (n == 0 || *s == '-' || *s == '+')
        return false;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
            return false;
    return true;
}

/* A part of the --user text: a number or a name. -EINVAL with text otherwise. Returns 1 for a name. */
static int part_parse(const char *what, const char *s, size_t n, uint32_t *ret, struct error *e) {
    int r = user_number_parse(s, n, ret);
    if (r == 0)
        return 0;
    if (r == -ERANGE)
        return error_set(e, -EINVAL, "%s %.*s: uids and gids must be in range 0-4294967294", what, (int)n, s);
    if (!name_is_valid(s, n))
        return error_set(e, -EINVAL, "invalid %s: '%.*s'", what, (int)n, s);
    return 1;
}

static void take_passwd(const struct entry *e, struct arena *a, struct identity *ret) {
    ret->name = arena_strndup(a, e->at[0], e->n[0]);
    /* The home ends up in the environment, from a file that strangers wrote: only a clean absolute path counts. */
    bool clean = e->count > 5 && e->n[5] > 0 && e->at[5][0] == '/';
    for (size_t i = 0; clean && i < e->n[5]; i++)
        clean = clean && (unsigned char)e->at[5][i] >= 0x20 && e->at[5][i] != 0x7f;
    if (clean)
        ret->home = arena_strndup(a, e->at[5], e->n[5]);
}

/* Finds by name (when name) or by number; entries with broken numbers do not exist. What a line that ends
 * early does not say is 0, and "/", as with Docker. */
static bool passwd_find(const char *passwd, const char *name, size_t n, uint32_t uid, struct arena *a, struct identity *ret) {
    size_t left = USER_ENTRIES_MAX;
    struct entry e;
    while (entry_next(&passwd, &left, 3, &e)) {
        uint32_t u, g = 0;
        if (user_number_parse(e.at[2], e.n[2], &u) < 0 || (e.count > 3 && e.n[3] > 0 && user_number_parse(e.at[3], e.n[3], &g) < 0))
            continue;
        if (name ? !field_is(&e, 0, name, n) : u != uid)
            continue;
        ret->uid = u;
        ret->gid = g;
        take_passwd(&e, a, ret);
        return true;
    }
    return false;
}

bool user_file_has(const char *text, const char *name, uint32_t number) {
    size_t left = USER_ENTRIES_MAX, n = name ? strlen(name) : 0;
    struct entry e;
    uint32_t found;

    while (entry_next(&text, &left, 3, &e))
        if (name ? field_is(&e, 0, name, n) : user_number_parse(e.at[2], e.n[2], &found) == 0 && found == number)
            return true;
    return false;
}

static bool group_find(const char *group, const char *name, size_t n, uint32_t *ret) {
    size_t left = USER_ENTRIES_MAX;
    struct entry e;
    while (entry_next(&group, &left, 3, &e))
        if (field_is(&e, 0, name, n) && user_number_parse(e.at[2], e.n[2], ret) == 0)
            return true;
    return false;
}

static void groups_add(struct arena *a, struct identity *id, uint32_t gid) {
    if (gid == id->gid || id->groups.n >= GROUPS_MAX)
        return;
    for (size_t i = 0; i < id->groups.n; i++)
        if (*LIST_AT(uint32_t, &id->groups, i) == gid)
            return;
    *LIST_ADD(a, uint32_t, &id->groups) = gid;
}

static bool members_have(const char *members, size_t size, const char *name) {
    size_t n = strlen(name);
    for (const char *end = members + size; members < end;) {
        const char *comma = memchr(members, ',', (size_t)(end - members));
        size_t length = (size_t)((comma ? comma : end) - members);
        if (length == n && memcmp(members, name, n) == 0)
            return true;
        members += length + 1;
    }
    return false;
}

static void groups_of_user(const char *group, struct arena *a, struct identity *id) {
    size_t left = USER_ENTRIES_MAX;
    struct entry e;
    uint32_t gid;
    if (!id->name)
        return;
    while (entry_next(&group, &left, 4, &e))
        if (members_have(e.at[3], e.n[3], id->name) && user_number_parse(e.at[2], e.n[2], &gid) == 0)
            groups_add(a, id, gid);
}

static int resolve_group(const char *what, const char *s, size_t n, const char *group, uint32_t *ret, struct error *e) {
    int r = part_parse(what, s, n, ret, e);
    if (r <= 0)
        return r;
    if (!group_find(group, s, n, ret))
        return error_set(e, -ENOENT, "unable to find group %.*s: no matching entries in group file", (int)n, s);
    return 0;
}

static int resolve_user(const char *s, size_t n, const char *passwd, struct arena *a, struct identity *id, struct error *e) {
    uint32_t uid;
    int r = part_parse("user", s, n, &uid, e);
    if (r < 0)
        return r;
    if (r == 1 && !passwd_find(passwd, s, n, 0, a, id))
        return error_set(e, -ENOENT, "unable to find user %.*s: no matching entries in passwd file", (int)n, s);
    if (r == 0 && !passwd_find(passwd, NULL, 0, uid, a, id)) {
        id->uid = uid;
        id->gid = 0;
    }
    return 0;
}

int identity_resolve(const char *user, const struct strs *group_add, const char *passwd, const char *group, struct arena *a,
                     struct identity *ret, struct error *e) {
    struct identity id = {.home = "/"};
    const char *text = user ? user : "";
    size_t n = strcspn(text, ":");
    int r = n ? resolve_user(text, n, passwd, a, &id, e) : resolve_user("0", 1, passwd, a, &id, e);
    if (r < 0)
        return r;
    if (text[n] && text[n + 1]) {
        const char *g = text + n + 1;
        r = resolve_group("group", g, strlen(g), group, &id.gid, e);
        if (r < 0)
            return r;
    } else {
        groups_of_user(group, a, &id);
    }
    for (size_t i = 0; group_add && i < group_add->n; i++) {
        uint32_t gid;
        r = resolve_group("additional group", group_add->v[i], strlen(group_add->v[i]), group, &gid, e);
        if (r < 0)
            return r;
        groups_add(a, &id, gid);
    }
    *ret = id;
    return 0;
}
