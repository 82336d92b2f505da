#include "engine/summary_cache.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fs.h"

#define CACHE_DIR   "cache"
#define CACHE_FILE  "summaries"
#define CACHE_MAGIC 0x33736d7573726174ULL /* raised with every change of the format */
#define CACHE_MAX   ((size_t)64 << 20)

/* So many that had to be read are worth a new file: reading one costs about what writing a hundred does. */
#define NEW_WORTH_WRITING 8
/* Times of files advance in ticks: two changes within one look like one. A record that young is not remembered. */
#define YOUNG_NS 100000000

/* The file: its head, then the entries, sorted by id, each followed by its strings and padded to 8 bytes. */
struct cache_head {
    uint64_t magic, count, checksum;
};

struct entry {
    char id[ID_LENGTH];
    struct entry_key {
        uint64_t device, inode;
        int64_t seconds, nanoseconds, size;
    } key;
    int64_t created_ns;
    uint32_t volumes, auto_remove;
    uint64_t size; /* of the whole entry, with padding */
};

static const size_t texts[] = {
    offsetof(struct container_summary, name),     offsetof(struct container_summary, image),
    offsetof(struct container_summary, image_id), offsetof(struct container_summary, command),
    offsetof(struct container_summary, platform), offsetof(struct container_summary, cgroup_parent),
};
static const size_t lists[] = {
    offsetof(struct container_summary, mounts),    offsetof(struct container_summary, mount_targets),
    offsetof(struct container_summary, networks),  offsetof(struct container_summary, exposed),
    offsetof(struct container_summary, published),
};

struct summary_cache {
    struct engine *engine;
    struct arena *arena;
    const struct entry **known; /* as the file has them */
    size_t known_n;
    struct list seen; /* of const struct entry *: asked for, and fit to be remembered */
    size_t fresh;     /* how many of them are new */
};

/* --- one entry --------------------------------------------------------------------------------------------------------------- */

static void add_text(struct buf *b, const char *text) {
    buf_add(b, text, strlen(text) + 1);
}

static void add_count(struct buf *b, size_t n) {
    uint32_t count = (uint32_t)n;

    buf_add(b, &count, sizeof(count));
}

static const struct entry *entry_make(const struct container_summary *s, const struct entry_key *key, struct arena *a) {
    _cleanup_buf_ struct buf b = BUF_WITH_MAX(CACHE_MAX);
    struct entry head = {.key = *key, .created_ns = s->created_ns, .volumes = (uint32_t)s->volumes, .auto_remove = s->auto_remove};

    memcpy(head.id, s->id, sizeof(head.id));
    buf_add(&b, &head, sizeof(head));
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        add_text(&b, *(const char *const *)(const void *)((const char *)s + texts[i]));
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
        const struct strs *list = (const void *)((const char *)s + lists[i]);

        add_count(&b, list->n);
        for (size_t k = 0; k < list->n; k++)
            add_text(&b, list->v[k]);
    }
    add_count(&b, s->labels.n);
    for (size_t i = 0; i < s->labels.n; i++) {
        add_text(&b, s->labels.v[i].key);
        add_text(&b, s->labels.v[i].value);
    }
    while (b.size % sizeof(uint64_t) != 0 && !b.failed)
        buf_add_char(&b, '\0');
    if (b.failed)
        return NULL;
    head.size = b.size;
    memcpy(b.data, &head, sizeof(head));
    return arena_memdup(a, b.data, b.size);
}

struct cursor {
    const char *at, *end;
    bool bad;
};

static const char *next_text(struct cursor *c) {
    const char *text = c->at, *nul = memchr(text, '\0', (size_t)(c->end - text));

    c->bad = c->bad || !nul;
    if (c->bad)
        return "";
    c->at = nul + 1;
    return text;
}

static size_t next_count(struct cursor *c) {
    uint32_t count;

    c->bad = c->bad || (size_t)(c->end - c->at) < sizeof(count);
    if (c->bad)
        return 0;
    memcpy(&count, c->at, sizeof(count));
    c->at += sizeof(count);
    return count;
}

/* The strings of the summary are those of the entry. */
static bool entry_read(const struct entry *entry, const char *id, struct arena *a, struct container_summary *ret) {
    struct cursor c = {(const char *)(entry + 1), (const char *)entry + entry->size, false};
    struct container_summary s = {
        .created_ns = entry->created_ns, .volumes = entry->volumes, .auto_remove = entry->auto_remove != 0};

    s.id = arena_strdup(a, id);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        *(const char **)(void *)((char *)&s + texts[i]) = next_text(&c);
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
        for (size_t n = next_count(&c); n > 0 && !c.bad; n--)
            strs_add(a, (struct strs *)(void *)((char *)&s + lists[i]), next_text(&c));
    for (size_t n = next_count(&c); n > 0 && !c.bad; n--) {
        const char *key = next_text(&c), *value = next_text(&c);

        map_set(a, &s.labels, key, value);
    }
    if (!c.bad)
        *ret = s;
    return !c.bad;
}

/* --- the file ---------------------------------------------------------------------------------------------------------------- */

/* Against a file torn by a power cut where the run root is on a disk; nobody but the engine writes here. */
static uint64_t checksum(const char *data, size_t size) {
    uint64_t sum = size, word;

    for (; size >= sizeof(word); data += sizeof(word), size -= sizeof(word)) {
        memcpy(&word, data, sizeof(word));
        sum = (sum ^ word) * 0x9e3779b97f4a7c15ULL;
        sum ^= sum >> 29;
    }
    return sum;
}

/* Reads the file whole into the arena, where the strings stay. */
static const char *read_file(int run_fd, struct arena *a, size_t *ret_size) {
    _cleanup_fd_ int fd = openat(run_fd, CACHE_DIR "/" CACHE_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    char *data;

    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (size_t)st.st_size > CACHE_MAX ||
        (size_t)st.st_size < sizeof(struct cache_head))
        return NULL;
    data = arena_alloc(a, (size_t)st.st_size);
    if (read(fd, data, (size_t)st.st_size) != st.st_size)
        return NULL;
    *ret_size = (size_t)st.st_size;
    return data;
}

struct summary_cache *summary_cache_open(struct engine *engine, struct arena *a) {
    struct summary_cache *cache = arena_new(a, struct summary_cache);
    size_t size = 0, at = sizeof(struct cache_head);
    const char *data = read_file(engine->roots->run_fd, a, &size);
    const struct cache_head *head = (const void *)data;

    *cache = (struct summary_cache){.engine = engine, .arena = a};
    if (!data || head->magic != CACHE_MAGIC || head->count > size / sizeof(struct entry) ||
        head->checksum != checksum(data + at, size - at))
        return cache;
    cache->known = arena_array(a, const struct entry *, head->count + 1);
    while (cache->known_n < head->count && size - at >= sizeof(struct entry)) {
        const struct entry *entry = (const void *)(data + at);

        if (entry->size < sizeof(*entry) || entry->size % sizeof(uint64_t) != 0 || entry->size > size - at)
            break;
        cache->known[cache->known_n++] = entry;
        at += entry->size;
    }
    return cache;
}

static int by_id(const void *a, const void *b) {
    const struct entry *const *x = a, *const *y = b;

    return memcmp((*x)->id, (*y)->id, ID_LENGTH);
}

static int id_against(const void *id, const void *entry) {
    return memcmp(id, (*(const struct entry *const *)entry)->id, ID_LENGTH);
}

static void remember(struct summary_cache *cache, const struct entry *entry) {
    if (entry)
        *LIST_ADD(cache->arena, const struct entry *, &cache->seen) = entry;
}

int summary_cache_get(struct summary_cache *cache, const char *id, struct container_summary *ret, struct error *e) {
    _cleanup_container_ struct container c = CONTAINER_INIT;
    char path[ID_LENGTH + sizeof("/" CONTAINER_RECORD_FILE)];
    int dir = engine_containers_dir(cache->engine, e), r;
    const struct entry *const *known;
    struct entry_key key = {0};
    struct stat st;

    if (dir < 0)
        return dir;
    (void)snprintf(path, sizeof(path), "%s/" CONTAINER_RECORD_FILE, id);
    if (fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
        key = (struct entry_key){st.st_dev, st.st_ino, st.st_ctim.tv_sec, st.st_ctim.tv_nsec, st.st_size};
    known = cache->known_n ? bsearch(id, cache->known, cache->known_n, sizeof(struct entry *), id_against) : NULL;
    if (known && memcmp(&(*known)->key, &key, sizeof(key)) == 0 && entry_read(*known, id, cache->arena, ret)) {
        remember(cache, *known);
        return 0;
    }
    r = container_open_id(cache->engine, id, cache->arena, &c, e);
    if (r < 0)
        return r;
    summary_of_record(id, &c.record, cache->arena, ret);
    cache->fresh++;
    if (key.inode && !clock_is_recent(st.st_ctim, YOUNG_NS))
        remember(cache, entry_make(ret, &key, cache->arena));
    return 0;
}

void summary_cache_save(struct summary_cache *cache) {
    _cleanup_buf_ struct buf b = BUF_WITH_MAX(CACHE_MAX);
    _cleanup_fd_ int dirfd = -1;
    struct cache_head head = {CACHE_MAGIC, cache->seen.n, 0};

    if (cache->fresh < NEW_WORTH_WRITING || cache->seen.n == 0)
        return;
    qsort(cache->seen.v, cache->seen.n, sizeof(struct entry *), by_id);
    buf_add(&b, &head, sizeof(head));
    for (size_t i = 0; i < cache->seen.n; i++) {
        const struct entry *entry = *LIST_AT(const struct entry *, &cache->seen, i);

        buf_add(&b, entry, entry->size);
    }
    if (b.failed)
        return;
    head.checksum = checksum(b.data + sizeof(head), b.size - sizeof(head));
    memcpy(b.data, &head, sizeof(head));
    (void)mkdirat(cache->engine->roots->run_fd, CACHE_DIR, 0700);
    dirfd = fs_open_beneath(cache->engine->roots->run_fd, CACHE_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (dirfd >= 0) /* a cache that cannot be written only costs time */
        (void)fs_replace_at(dirfd, CACHE_FILE, b.data, b.size, 0600, FS_NO_SYNC, NULL);
}
