/* Files that may be torn, or were written by others: journals, the event log, logs of containers, states, configurations and
 * answers of CNI. The first byte chooses. They lie in a directory of the target's own; a journal is read and rewritten, never
 * undone. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/event_log.h"
#include "base/fs.h"
#include "engine/container.h"
#include "fuzz.h"
#include "network/cni.h"
#include "runtime/event_reader.h"
#include "runtime/journal.h"
#include "runtime/log_reader.h"
#include "runtime/state.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static char base[] = "/dev/shm/tare-fuzz-XXXXXX";
static int dir = -1;

static void clean(void) {
    (void)fs_remove_tree_at(AT_FDCWD, base, NULL);
}

static void put(const char *name, const uint8_t *p, size_t n) {
    FUZZ_MUST(fs_replace_at(dir, name, p, n, 0600, FS_NO_SYNC, NULL) == 0);
}

static int on_event(const struct event_record *ev, const char *line, size_t n, void *arg, struct error *e) {
    (void)arg, (void)e;
    FUZZ_MUST(ev->type && strnlen(line, n) == n);
    return 0;
}

static int on_record(const struct log_record *r, void *arg) {
    size_t *sum = arg;

    FUZZ_MUST(r->stream == 1 || r->stream == 2);
    for (size_t i = 0; i < r->size; i++)
        *sum += (unsigned char)r->data[i];
    return 0;
}

static void events(const uint8_t *p, size_t n) {
    const struct event_read q = {.until_ns = 1, .history = true, .fn = on_event};
    struct event_last last;

    put(EVENT_LOG_FILE, p, n);
    put("prepared", p, n);
    (void)event_log_read(dir, &q, NULL);
    event_last(dir, ID, &last);
    event_tell_prepared(dir, dir, "prepared", true);
}

static void logs(bool local, const uint8_t *p, size_t n) {
    struct log_query q = LOG_QUERY_INIT;
    char name[128];
    size_t sum = 0;

    q.driver = local ? LOG_LOCAL : LOG_JSON_FILE;
    q.id = ID;
    put(log_file_name(q.driver, ID, name, sizeof(name)), p, n);
    (void)log_read(dir, &q, on_record, &sum, NULL);
    q.tail = 3;
    (void)log_read(dir, &q, on_record, &sum, NULL);
    (void)unlinkat(dir, name, 0);
}

static void journals(const uint8_t *p, size_t n) {
    _cleanup_journal_ struct journal more = JOURNAL_INIT;

    put("journal", p, n);
    journal_add(&more, JOURNAL_UNLINK, "/nonexistent");
    if (journal_change(dir, "journal", &more, "other", NULL) == 0)
        FUZZ_MUST(journal_change(dir, "journal", NULL, "/nonexistent", NULL) == 0);
}

static void cni(const uint8_t *p, size_t n) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_buf_ struct buf out = BUF_INIT;
    struct cni_request q = {.network = "n", .container_id = ID, .ifname = "eth0", .netns = "/proc/self/ns/net"};
    struct cni_result result;

    strs_add(&a, &q.conf_dirs, base);
    strs_add(&a, &q.plugin_dirs, "/nonexistent");
    put("n.conflist", p, n);
    (void)cni_attachment(&q, &out, NULL);
    (void)unlinkat(dir, "n.conflist", 0);
    put("n.conf", p, n);
    (void)cni_attachment(&q, &out, NULL);
    (void)unlinkat(dir, "n.conf", 0);
    put(CNI_FILE, p, n);
    (void)cni_result_read(dir, &a, &result, NULL);
}

static void states(const uint8_t *p, size_t n) {
    struct container_state s;

    put("state", p, n);
    (void)state_read(dir, dir, &s, NULL);
    (void)state_read_claim(dir, &s, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (dir < 0) {
        FUZZ_MUST(mkdtemp(base));
        dir = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        FUZZ_MUST(dir >= 0 && atexit(clean) == 0);
    }
    if (size < 1)
        return 0;
    switch (data[0] % 6) {
    case 0: events(data + 1, size - 1); break;
    case 1: logs(false, data + 1, size - 1); break;
    case 2: logs(true, data + 1, size - 1); break;
    case 3: journals(data + 1, size - 1); break;
    case 4: cni(data + 1, size - 1); break;
    case 5: states(data + 1, size - 1); break;
    }
    return 0;
}
