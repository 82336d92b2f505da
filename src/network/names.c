#include "network/names.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/id.h"
#include "model/network.h"
#include "network/lease.h"

#define LEASES      "leases"
#define ENTRIES_MAX 65536
/* A change within the same tick of the kernel's clock leaves the directory's time as it was: a time this young proves nothing. */
#define SETTLED_NS (50 * 1000 * 1000LL)

/* --- reading --------------------------------------------------------------------------------------------------------------- */

struct look {
    uint64_t hash;
    bool young;
};

static void look_add(struct look *l, const struct stat *st) {
    int64_t ns = st->st_mtim.tv_sec * NS_PER_SEC + st->st_mtim.tv_nsec;

    l->hash = (l->hash ^ (uint64_t)ns ^ st->st_ino) * 0x100000001b3ULL;
    l->young |= clock_is_recent(st->st_mtim, SETTLED_NS);
}

static int look_at(int dirfd, const char *name, void *arg, struct error *e _unused_) {
    struct stat st;

    if (name[0] != '.' && fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        look_add(arg, &st);
    return 0;
}

static int take_network(int dirfd _unused_, const char *network, void *arg, struct error *e _unused_) {
    struct names *n = arg;
    struct list leases = {0};
    bool ours = false;

    if (network[0] == '.' || strcmp(network, NETWORK_DEFAULT) == 0 || lease_list(&n->roots, network, &n->arena, &leases, NULL) < 0)
        return 0;
    for (size_t i = 0; i < leases.n && !ours; i++)
        ours = strcmp(LIST_AT(struct lease, &leases, i)->owner.container_id, n->container_id) == 0;
    network = arena_strdup(&n->arena, network);
    for (size_t i = 0; ours && i < leases.n && n->entries.n < ENTRIES_MAX; i++) {
        const struct lease *l = LIST_AT(struct lease, &leases, i);

        *LIST_ADD(&n->arena, struct names_entry, &n->entries) = (struct names_entry){
            network, l->address, l->owner.container_id, l->owner.container_name ? l->owner.container_name : "", l->owner.aliases};
    }
    return 0;
}

void names_forget(struct names *n) {
    arena_release(&n->arena);
    n->arena = (struct arena)ARENA_INIT;
    n->entries = (struct list){0};
    n->seen = 0;
}

void names_refresh(struct names *n) {
    struct look look = {.hash = 1};
    struct stat st;

    if (fstatat(n->roots.run_fd, LEASES, &st, 0) == 0)
        look_add(&look, &st);
    (void)fs_each(n->roots.run_fd, LEASES, look_at, &look, NULL);
    if (n->seen && n->seen == look.hash)
        return;
    names_forget(n);
    (void)fs_each(n->roots.run_fd, LEASES, take_network, n, NULL);
    if (!look.young)
        n->seen = look.hash;
}

/* --- answering ------------------------------------------------------------------------------------------------------------- */

/* Is the first part of the question, `length` bytes, one of its names? */
static bool is_called(const struct names_entry *entry, const char *name, size_t length) {
    if (strlen(entry->container_name) == length && strncasecmp(entry->container_name, name, length) == 0)
        return true;
    if (length == ID_SHORT_LENGTH && strncmp(entry->container_id, name, length) == 0)
        return true;
    for (size_t i = 0; i < entry->aliases.n; i++)
        if (strlen(entry->aliases.v[i]) == length && strncasecmp(entry->aliases.v[i], name, length) == 0)
            return true;
    return false;
}

static bool is_meant(const struct names_entry *entry, const char *name) {
    size_t length = strlen(name), network = strlen(entry->network);

    if (is_called(entry, name, length))
        return true;
    return length > network + 1 && name[length - network - 1] == '.' && strcasecmp(name + length - network, entry->network) == 0 &&
           is_called(entry, name, length - network - 1);
}

static bool is_wanted(uint16_t type, const struct ip_address *a) {
    return type == DNS_ANY || type == (a->family == IP_V6 ? DNS_AAAA : DNS_A);
}

static bool add_addresses(struct names *n, struct dns_answer *a) {
    bool known = false;

    if (n->entries.n)
        n->turn = (n->turn + 1) % (unsigned)n->entries.n;
    for (size_t i = 0; i < n->entries.n; i++) {
        const struct names_entry *entry = LIST_AT(struct names_entry, &n->entries, (i + n->turn) % n->entries.n);

        if (!is_meant(entry, a->query->name))
            continue;
        known = true;
        if (is_wanted(a->query->type, &entry->address))
            dns_answer_address(a, &entry->address);
    }
    return known;
}

static bool add_reverse(const struct names *n, struct dns_answer *a, const struct ip_address *address) {
    char name[DNS_NAME_MAX];

    for (size_t i = 0; i < n->entries.n; i++) {
        const struct names_entry *entry = LIST_AT(struct names_entry, &n->entries, i);

        if (!ip_is_equal(&entry->address, address))
            continue;
        (void)snprintf(name, sizeof(name), "%.120s.%.120s", entry->container_name, entry->network);
        if (a->query->type == DNS_PTR || a->query->type == DNS_ANY)
            dns_answer_name(a, name);
        return true;
    }
    return false;
}

size_t names_answer(struct names *n, const uint8_t *query, const struct dns_query *q, uint8_t *out, size_t room) {
    struct ip_address address;
    struct dns_answer a;
    bool known;

    if (q->class != DNS_CLASS_IN || !*q->name)
        return 0;
    names_refresh(n);
    dns_answer_begin(&a, query, q, out, room);
    known = dns_reverse_parse(q->name, &address) ? add_reverse(n, &a, &address) : add_addresses(n, &a);
    return known ? dns_answer_end(&a, DNS_OK) : 0;
}
