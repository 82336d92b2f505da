#include "runtime/monitor/log_remote.h"

#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "runtime/monitor/log_link.h"

#define JOURNAL_ADDRESS "unixgram:///run/systemd/journal/socket"
#define SEVERITY_ERR    3
#define SEVERITY_INFO   6
#define HEAD_ROOM       1024

/* A line that came in several parts. */
struct parts {
    char id[ID_LENGTH + 1]; /* "" = none */
    uint64_t count;
};

struct log_remote {
    const struct monitor_log_options *options;
    struct log_link *link;
    char host[256];
    uint64_t count; /* of records */
    struct parts parts[2];
};

int log_remote_open(const struct monitor_log_options *options, struct log_remote **ret, struct error *e) {
    struct log_remote *r = calloc(1, sizeof(*r));
    int result;

    if (!r)
        return error_errno(e, -ENOMEM, "open the log");
    r->options = options;
    if (gethostname(r->host, sizeof(r->host) - 1) < 0)
        memcpy(r->host, "-", 2);
    bool journal = options->driver == LOG_JOURNALD;
    result = log_link_open(journal ? JOURNAL_ADDRESS : options->address, journal, &r->link, e);
    if (result < 0) {
        free(r);
        return result;
    }
    *ret = r;
    return 0;
}

/* --- the journal ------------------------------------------------------------------------------------------------------------- */

static size_t journal_parts(struct parts *parts, bool whole, char *room, size_t size) {
    int n;

    if (whole && !parts->id[0])
        return 0;
    if (!parts->id[0] && id_new(parts->id) == 0)
        parts->count = 0;
    n = snprintf(room, size, "CONTAINER_PARTIAL_ID=%s\nCONTAINER_PARTIAL_ORDINAL=%llu\nCONTAINER_PARTIAL_LAST=%s\n%s", parts->id,
                 (unsigned long long)++parts->count, whole ? "true" : "false", whole ? "" : "CONTAINER_PARTIAL_MESSAGE=true\n");
    if (whole)
        parts->id[0] = '\0';
    return (size_t)n;
}

static bool send_journal(struct log_remote *r, int stream, struct timespec t, const char *p, size_t n, bool whole) {
    char head[HEAD_ROOM], time_text[TIME_TEXT_MAX];
    struct iovec pieces[4];
    size_t used;

    time_format(t, time_text);
    used = (size_t)snprintf(head, sizeof(head), "PRIORITY=%d\nSYSLOG_TIMESTAMP=%s\nCONTAINER_LOG_ORDINAL=%llu\n",
                            stream == 2 ? SEVERITY_ERR : SEVERITY_INFO, time_text, (unsigned long long)++r->count);
    used += journal_parts(&r->parts[stream - 1], whole, head + used, sizeof(head) - used);
    memcpy(head + used, "MESSAGE\n", 8);
    used += 8;
    for (unsigned i = 0; i < 8; i++)
        head[used++] = (char)((uint64_t)n >> (8 * i));
    pieces[0] = (struct iovec){(void *)(uintptr_t)r->options->fields, r->options->fields_size};
    pieces[1] = (struct iovec){head, used};
    pieces[2] = (struct iovec){(void *)(uintptr_t)p, n};
    pieces[3] = (struct iovec){(void *)(uintptr_t) "\n", 1};
    return log_link_send(r->link, pieces, 4);
}

/* --- syslog ------------------------------------------------------------------------------------------------------------------ */

/* "Jan _2 15:04:05", local */
static void stamp(struct timespec t, char *room, size_t size) {
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct tm tm;

    localtime_r(&t.tv_sec, &tm);
    (void)snprintf(room, size, "%.3s %2d %02d:%02d:%02d", months + tm.tm_mon * 3, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* RFC 3339, local, in seconds or microseconds */
static void stamp_5424(struct timespec t, bool micro, char *room, size_t size) {
    struct tm tm;
    long zone;
    size_t n;

    localtime_r(&t.tv_sec, &tm);
    zone = tm.tm_gmtoff / 60;
    n = strftime(room, size, "%Y-%m-%dT%H:%M:%S", &tm);
    if (micro)
        n += (size_t)snprintf(room + n, size - n, ".%06ld", t.tv_nsec / 1000);
    if (zone == 0)
        (void)snprintf(room + n, size - n, "Z");
    else
        (void)snprintf(room + n, size - n, "%c%02ld:%02ld", zone < 0 ? '-' : '+', labs(zone) / 60, labs(zone) % 60);
}

static bool send_syslog(struct log_remote *r, int stream, struct timespec t, const char *p, size_t n) {
    const struct monitor_log_options *o = r->options;
    unsigned priority = o->facility * 8 + (stream == 2 ? SEVERITY_ERR : SEVERITY_INFO);
    char head[HEAD_ROOM], when[64];
    int used = 0;

    if (o->format == SYSLOG_RFC5424 || o->format == SYSLOG_RFC5424_MICRO) {
        stamp_5424(t, o->format == SYSLOG_RFC5424_MICRO, when, sizeof(when));
        used = snprintf(head, sizeof(head), "<%u>1 %s %s %.300s %d %.300s - ", priority, when, r->host, o->tag, getpid(), o->tag);
    } else {
        stamp(t, when, sizeof(when));
        used = snprintf(head, sizeof(head), "<%u>%s %s%s%.300s[%d]: ", priority, when, o->format == SYSLOG_RFC3164 ? r->host : "",
                        o->format == SYSLOG_RFC3164 ? " " : "", o->tag, getpid());
    }
    const struct iovec pieces[] = {
        {head, MIN_OF((size_t)used, sizeof(head) - 1)}, {(void *)(uintptr_t)p, n}, {(void *)(uintptr_t) "\n", 1}};

    return log_link_send(r->link, pieces, ARRAY_SIZE(pieces));
}

/* --- both -------------------------------------------------------------------------------------------------------------------- */

static bool send_record(struct log_remote *r, int stream, struct timespec t, const char *p, size_t n) {
    bool whole = n && p[n - 1] == '\n';

    n -= whole;
    return r->options->driver == LOG_JOURNALD ? send_journal(r, stream, t, p, n, whole) : send_syslog(r, stream, t, p, n);
}

void log_remote_send(struct log_remote *r, int stream, struct timespec t, const char *p, size_t n) {
    uint64_t lost = log_link_lost(r->link);
    char text[96];

    if (lost) {
        (void)snprintf(text, sizeof(text), "tare: %llu records of log were lost here: they were not taken\n",
                       (unsigned long long)lost);
        (void)send_record(r, 2, t, text, strlen(text));
    }
    (void)send_record(r, stream, t, p, n);
}

int log_remote_fd(const struct log_remote *r) {
    return r ? log_link_fd(r->link) : -1;
}

void log_remote_cut(struct log_remote *r) {
    if (r)
        log_link_cut(r->link);
}

struct log_remote *log_remote_close(struct log_remote *r) {
    if (r)
        log_link_close(r->link);
    free(r);
    return NULL;
}
