#include "engine/log_options.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <fcntl.h>
#include <regex.h>
#include <string.h>

#include "base/fs.h"
#include "base/id.h"
#include "base/json.h"
#include "base/self.h"
#include "base/template.h"
#include "model/units.h"

#define BUFFER_DEFAULT   ((uint64_t)1 << 20) /* Docker's ring */
#define BUFFER_MAX       ((int64_t)1 << 30)
#define CACHE_SIZE       ((uint64_t)20 << 20)
#define CACHE_FILES      5
#define FACILITY_DAEMON  3
#define FACILITY_MAX     23
#define FILES_LIMIT      1000
#define HOSTS_MAX        ((size_t)1 << 20)
#define SYSLOG_PORT      "514"
#define DEFAULT_TEMPLATE "{{.ID}}"

static const char *const log_drivers[] = {[LOG_JSON_FILE] = "json-file",
                                          [LOG_LOCAL] = "local",
                                          [LOG_NONE] = "none",
                                          [LOG_JOURNALD] = "journald",
                                          [LOG_SYSLOG] = "syslog"};

/* What the options say, before they meet a container. */
struct asked {
    struct monitor_log_options o;
    const char *labels, *labels_regex, *env, *env_regex, *tag;
    bool compress, buffer_set;
};

/* --- one option -------------------------------------------------------------------------------------------------------------- */

static int set_size(const char *value, struct asked *x, struct error *e) {
    int64_t n;
    int r = size_parse(value, &n, e);

    if (r < 0)
        return r;
    x->o.size_max = n <= 0 ? UINT64_MAX : (uint64_t)n;
    return 0;
}

static int set_files(const char *value, struct asked *x, struct error *e) {
    int64_t n;

    if (int_parse(value, 1, FILES_LIMIT, &n) < 0)
        return error_set(e, -EINVAL, "invalid max-file: %s", value);
    x->o.files_max = (uint32_t)n;
    return 0;
}

static int set_compress(const char *value, struct asked *x, struct error *e) {
    return bool_parse(value, &x->compress) < 0 ? error_set(e, -EINVAL, "invalid compress: %s", value) : 0;
}

static int set_cache_disabled(const char *value, struct asked *x, struct error *e) {
    bool disabled;

    if (bool_parse(value, &disabled) < 0)
        return error_set(e, -EINVAL, "invalid cache-disabled: %s", value);
    x->o.no_file = disabled;
    return 0;
}

static int set_mode(const char *value, struct asked *x, struct error *e) {
    x->o.non_blocking = strcmp(value, "non-blocking") == 0;
    if (x->o.non_blocking || !*value || strcmp(value, "blocking") == 0)
        return 0;
    return error_set(e, -EINVAL, "logger: logging mode not supported: %s", value);
}

static int set_buffer(const char *value, struct asked *x, struct error *e) {
    int64_t n;
    int r = size_parse(value, &n, e);

    if (r < 0)
        return error_wrap(e, r, "error parsing option max-buffer-size");
    if (n < 1 || n > BUFFER_MAX)
        return error_set(e, -EINVAL, "max-buffer-size %s is not between 1 byte and 1 GB", value);
    x->o.buffer_size = (uint64_t)n;
    x->buffer_set = true;
    return 0;
}

static int check_regex(const char *text, const char *key, struct error *e) {
    regex_t re;

    /* What Go has and POSIX has not would mean something else here. */
    if (strstr(text, "(?") || strstr(text, "\\d") || strstr(text, "\\D") || strstr(text, "\\p") || strstr(text, "\\P"))
        return error_set(e, -EINVAL, "%s: %s is not an extended regular expression of POSIX, which tare takes", key, text);
    if (regcomp(&re, text, REG_EXTENDED | REG_NOSUB) != 0)
        return error_set(e, -EINVAL, "%s: cannot parse the regular expression %s", key, text);
    regfree(&re);
    return 0;
}

static int set_labels(const char *value, struct asked *x, struct error *e _unused_) {
    x->labels = value;
    return 0;
}

static int set_labels_regex(const char *value, struct asked *x, struct error *e) {
    x->labels_regex = value;
    return check_regex(value, "labels-regex", e);
}

static int set_env(const char *value, struct asked *x, struct error *e _unused_) {
    x->env = value;
    return 0;
}

static int set_env_regex(const char *value, struct asked *x, struct error *e) {
    x->env_regex = value;
    return check_regex(value, "env-regex", e);
}

static int set_tag(const char *value, struct asked *x, struct error *e) {
    _cleanup_template_ struct template *t = NULL;

    x->tag = value;
    return template_parse(value, &t, e);
}

/* A number, or a name of /etc/hosts: nothing is asked of a name service in a static program. In `text` of `size` bytes. */
static int find_host(const char *host, char *text, size_t size) {
    _cleanup_buf_ struct buf hosts = BUF_INIT;
    char *line, *at, *word, *rest;
    unsigned char address[sizeof(struct in6_addr)];

    if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
        return snprintf(text, size, "%s", host) < (int)size ? 0 : -EINVAL;
    if (fs_read_at(AT_FDCWD, "/etc/hosts", HOSTS_MAX, &hosts, NULL) < 0)
        return -ENOENT;
    for (at = hosts.data; at && (line = strsep(&at, "\n"));) {
        const char *number;

        line[strcspn(line, "#")] = '\0';
        number = strtok_r(line, " \t", &rest);
        while (number && (word = strtok_r(NULL, " \t", &rest)))
            if (strcasecmp(word, host) == 0)
                return snprintf(text, size, "%s", number) < (int)size ? 0 : -EINVAL;
    }
    return -ENOENT;
}

/* "HOST", "HOST:PORT", "[v6]:PORT"; ret: the number and the port, "192.0.2.1 514". */
static int parse_inet(const char *text, char *ret, size_t size, struct error *e) {
    const char *end = text[0] == '[' ? strchr(text, ']') : NULL, *colon = strrchr(end ? end : text, ':');
    const char *port = colon ? colon + 1 : SYSLOG_PORT, *begin = text + (end ? 1 : 0);
    char host[256], number[64];
    int n = (int)((end ? end : colon ? colon : text + strlen(text)) - begin);
    int64_t value;

    if (n <= 0 || n >= (int)sizeof(host) || int_parse(port, 1, 65535, &value) < 0)
        return error_set(e, -EINVAL, "syslog-address: %s is not HOST:PORT", text);
    (void)snprintf(host, sizeof(host), "%.*s", n, begin);
    if (find_host(host, number, sizeof(number)) < 0)
        return error_set(e, -EINVAL, "syslog-address: %s is neither a number nor in /etc/hosts", host);
    (void)snprintf(ret, size, "%s %lld", number, (long long)value);
    return 0;
}

static int set_address(const char *value, struct asked *x, struct error *e) {
    static const char *const schemes[] = {"udp://", "tcp://", "unix://", "unixgram://"};
    char room[128];

    if (strncmp(value, "tcp+tls://", 10) == 0) {
        error_set(e, -EOPNOTSUPP, "syslog-address: tcp+tls is not spoken here");
        return error_hint(e, "send to a relay on this host (rsyslog, stunnel) by udp:// or unixgram://");
    }
    for (size_t i = 0; *value && i < ARRAY_SIZE(schemes); i++) {
        size_t n = strlen(schemes[i]);

        if (strncmp(value, schemes[i], n) != 0)
            continue;
        x->o.address = value;
        return i < 2 ? parse_inet(value + n, room, sizeof(room), e) : 0;
    }
    return *value ? error_set(e, -EINVAL, "syslog-address should be in form proto://address, got %s", value) : 0;
}

static int set_facility(const char *value, struct asked *x, struct error *e) {
    static const char *const names[] = {"kern",   "user",   "mail",     "daemon", "auth",   "syslog", "lpr",    "news",
                                        "uucp",   "cron",   "authpriv", "ftp",    NULL,     NULL,     NULL,     NULL,
                                        "local0", "local1", "local2",   "local3", "local4", "local5", "local6", "local7"};
    int64_t n;

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (names[i] && strcmp(names[i], value) == 0) {
            x->o.facility = (uint32_t)i;
            return 0;
        }
    if (int_parse(value, 0, FACILITY_MAX, &n) < 0)
        return error_set(e, -EINVAL, "invalid syslog facility");
    x->o.facility = (uint32_t)n;
    return 0;
}

static int set_format(const char *value, struct asked *x, struct error *e) {
    static const char *const names[] = {
        [SYSLOG_UNIX] = "", [SYSLOG_RFC3164] = "rfc3164", [SYSLOG_RFC5424] = "rfc5424", [SYSLOG_RFC5424_MICRO] = "rfc5424micro"};

    for (uint32_t i = 0; i < ARRAY_SIZE(names); i++)
        if (strcmp(names[i], value) == 0) {
            x->o.format = i;
            return 0;
        }
    return error_set(e, -EINVAL, "Invalid syslog format");
}

static int refuse_attributes(const char *value _unused_, struct asked *x _unused_, struct error *e) {
    return error_set(e, -EOPNOTSUPP, "labels and env have no place in a syslog record (Docker's driver leaves them out): use tag");
}

static int refuse_tls(const char *value _unused_, struct asked *x _unused_, struct error *e) {
    return error_set(e, -EOPNOTSUPP, "syslog over TLS is not spoken here");
}

/* --- all of them ------------------------------------------------------------------------------------------------------------- */

#define BIT(driver) (1u << (driver))
#define FILES       (BIT(LOG_JSON_FILE) | BIT(LOG_LOCAL))
#define REMOTE      (BIT(LOG_JOURNALD) | BIT(LOG_SYSLOG))

static const struct {
    const char *key;
    unsigned drivers;
    int (*set)(const char *value, struct asked *x, struct error *e);
} log_options[] = {
    {"mode", FILES | REMOTE, set_mode},
    {"max-buffer-size", FILES | REMOTE, set_buffer},
    {"max-size", FILES, set_size},
    {"max-file", FILES, set_files},
    {"compress", FILES, set_compress},
    {"labels", BIT(LOG_JSON_FILE) | BIT(LOG_JOURNALD), set_labels},
    {"labels-regex", BIT(LOG_JSON_FILE) | BIT(LOG_JOURNALD), set_labels_regex},
    {"env", BIT(LOG_JSON_FILE) | BIT(LOG_JOURNALD), set_env},
    {"env-regex", BIT(LOG_JSON_FILE) | BIT(LOG_JOURNALD), set_env_regex},
    {"labels", BIT(LOG_SYSLOG), refuse_attributes},
    {"labels-regex", BIT(LOG_SYSLOG), refuse_attributes},
    {"env", BIT(LOG_SYSLOG), refuse_attributes},
    {"env-regex", BIT(LOG_SYSLOG), refuse_attributes},
    {"tag", BIT(LOG_JSON_FILE) | REMOTE, set_tag},
    {"syslog-address", BIT(LOG_SYSLOG), set_address},
    {"syslog-facility", BIT(LOG_SYSLOG), set_facility},
    {"syslog-format", BIT(LOG_SYSLOG), set_format},
    {"syslog-tls-ca-cert", BIT(LOG_SYSLOG), refuse_tls},
    {"syslog-tls-cert", BIT(LOG_SYSLOG), refuse_tls},
    {"syslog-tls-key", BIT(LOG_SYSLOG), refuse_tls},
    {"syslog-tls-skip-verify", BIT(LOG_SYSLOG), refuse_tls},
    {"cache-disabled", REMOTE, set_cache_disabled},
    {"cache-max-size", REMOTE, set_size},
    {"cache-max-file", REMOTE, set_files},
    {"cache-compress", REMOTE, set_compress},
};

static int set_option(const struct pair *p, struct asked *x, struct error *e) {
    for (size_t i = 0; i < ARRAY_SIZE(log_options); i++)
        if (log_options[i].drivers & BIT(x->o.driver) && strcmp(log_options[i].key, p->key) == 0)
            return log_options[i].set(p->value, x, e);
    if (x->o.driver == LOG_LOCAL)
        return error_set(e, -EINVAL, "unknown log opt '%s' for log driver local", p->key);
    return error_set(e, -EINVAL, "unknown log opt '%s' for %s log driver", p->key, log_drivers[x->o.driver]);
}

static int parse(const struct log_config *c, struct asked *x, struct error *e) {
    const char *type = c->type && *c->type ? c->type : log_drivers[LOG_JSON_FILE];
    uint32_t driver = 0;
    int r = 0;

    while (driver < ARRAY_SIZE(log_drivers) && strcmp(log_drivers[driver], type) != 0)
        driver++;
    if (driver == ARRAY_SIZE(log_drivers))
        return error_set(e, -EINVAL, "logger: no log driver named '%s' is registered", type);
    x->o = (struct monitor_log_options){.driver = driver, .facility = FACILITY_DAEMON, .buffer_size = BUFFER_DEFAULT};
    if (BIT(driver) & REMOTE) {
        x->o.size_max = CACHE_SIZE;
        x->o.files_max = CACHE_FILES;
        x->compress = true;
    }
    if (driver == LOG_NONE && c->config.n)
        return error_set(e, -EINVAL, "invalid logging opts for driver none");
    for (size_t i = 0; r >= 0 && i < c->config.n; i++)
        r = set_option(&c->config.v[i], x, e);
    if (r >= 0 && BIT(driver) & FILES && x->compress && x->o.files_max == 1)
        r = error_set(e, -EINVAL, "compress cannot be true when max-file is less than 2 or max-size is not set");
    if (r >= 0 && x->buffer_set && !x->o.non_blocking)
        r = error_set(e, -EINVAL, "logger: max-buffer-size option is only supported with 'mode=non-blocking'");
    return r;
}

static int by_key(const void *a, const void *b) {
    return strcmp(((const struct pair *)a)->key, ((const struct pair *)b)->key);
}

/* As Go writes a map. */
static void sort(struct map *m) {
    if (m->n)
        qsort(m->v, m->n, sizeof(*m->v), by_key);
}

int log_options_check(struct log_config *c, struct error *e) {
    struct asked x = {0};

    sort(&c->config);
    return parse(c, &x, e);
}

/* --- what a container adds --------------------------------------------------------------------------------------------------- */

static bool is_listed(const char *list, const char *key) {
    size_t n = strlen(key);

    for (const char *s = list; s; s = strchr(s, ','), s = s ? s + 1 : NULL)
        if (strncmp(s, key, n) == 0 && (s[n] == ',' || s[n] == '\0'))
            return true;
    return false;
}

/* Those of `all` whose key is listed, or matches. */
static void choose(const struct map *all, const char *list, const char *regex, struct arena *a, struct map *to) {
    bool matches = regex && *regex;
    regex_t re;

    if (matches && regcomp(&re, regex, REG_EXTENDED | REG_NOSUB) != 0)
        return;
    for (size_t i = 0; i < all->n; i++)
        if ((list && is_listed(list, all->v[i].key)) || (matches && regexec(&re, all->v[i].key, 0, NULL, 0) == 0))
            map_set(a, to, all->v[i].key, all->v[i].value);
    if (matches)
        regfree(&re);
}

static void extra_attributes(const struct container_record *c, const struct asked *x, struct arena *a, struct map *ret) {
    struct map env = {0};

    map_set_texts(a, &env, &c->config.env);
    choose(&c->config.labels, x->labels, x->labels_regex, a, ret);
    choose(&env, x->env, x->env_regex, a, ret);
}

static const char *object_text(struct map *m, struct arena *a) {
    _cleanup_buf_ struct buf out = BUF_INIT;

    if (m->n == 0)
        return NULL;
    sort(m);
    for (size_t i = 0; i < m->n; i++) {
        buf_add_char(&out, i ? ',' : '{');
        json_write_string(&out, m->v[i].key);
        buf_add_char(&out, ':');
        json_write_string(&out, m->v[i].value);
    }
    buf_add_char(&out, '}');
    return arena_strdup(a, buf_text(&out));
}

static const char *image_name(const struct container_record *c) {
    return c->image_name ? c->image_name : c->image ? c->image : "";
}

/* What Docker's loggers know of a container, by the names of its templates. */
static int expand_tag(const struct container_record *c, const char *text, struct arena *a, const char **ret, struct error *e) {
    const char *image = c->image ? strchr(c->image, ':') ? strchr(c->image, ':') + 1 : c->image : "";
    struct map known = {0};
    _cleanup_template_ struct template *t = NULL;
    _cleanup_buf_ struct buf out = BUF_INIT;
    const char *json;
    int r = template_parse(text, &t, e);

    map_set(a, &known, "ID", arena_strndup(a, c->id, ID_SHORT_LENGTH));
    map_set(a, &known, "FullID", c->id);
    map_set(a, &known, "Name", c->name);
    map_set(a, &known, "FullName", arena_printf(a, "/%s", c->name));
    map_set(a, &known, "ImageID", arena_strndup(a, image, ID_SHORT_LENGTH));
    map_set(a, &known, "ImageFullID", c->image ? c->image : "");
    map_set(a, &known, "ImageName", image_name(c));
    map_set(a, &known, "DaemonName", "tare");
    json = object_text(&known, a);
    if (r == 0)
        r = template_execute(t, json, strlen(json), &out, e);
    if (r < 0)
        return error_wrap(e, r, "log tag %s", text);
    *ret = arena_strdup(a, buf_text(&out));
    return 0;
}

/* systemd's JOURNAL_NATIVE_PROTOCOL: KEY=value, or, where the value has newlines, KEY, its size in 8 bytes, and the value. */
static void add_field(struct buf *out, const char *key, const char *value) {
    uint64_t n = strlen(value);

    buf_add_str(out, key);
    if (strchr(value, '\n')) {
        buf_add_char(out, '\n');
        for (unsigned i = 0; i < sizeof(n); i++)
            buf_add_char(out, (char)(n >> (8 * i)));
    } else {
        buf_add_char(out, '=');
    }
    buf_add_str(out, value);
    buf_add_char(out, '\n');
}

/* A name that the journal takes: upper case, digits and underscores, of which none comes first (those are its own). */
static const char *field_name(const char *key, struct arena *a) {
    char *name = arena_strdup(a, key), *at = name;

    for (; *key; key++) {
        char c = isalnum((unsigned char)*key) ? (char)toupper((unsigned char)*key) : '_';

        if (c != '_' || at != name)
            *at++ = c;
    }
    *at = '\0';
    return name;
}

static void journal_fields(const struct container_record *c, const char *tag, const struct map *extra, struct arena *a,
                           struct monitor_log_options *ret) {
    _cleanup_buf_ struct buf out = BUF_INIT;
    char epoch[ID_LENGTH + 1];

    add_field(&out, "CONTAINER_ID", arena_strndup(a, c->id, ID_SHORT_LENGTH));
    add_field(&out, "CONTAINER_ID_FULL", c->id);
    add_field(&out, "CONTAINER_NAME", c->name);
    add_field(&out, "CONTAINER_TAG", tag);
    add_field(&out, "IMAGE_NAME", image_name(c));
    add_field(&out, "SYSLOG_IDENTIFIER", tag);
    if (id_new(epoch) == 0)
        add_field(&out, "CONTAINER_LOG_EPOCH", epoch);
    for (size_t i = 0; i < extra->n; i++)
        if (*field_name(extra->v[i].key, a))
            add_field(&out, field_name(extra->v[i].key, a), extra->v[i].value);
    ret->fields = arena_memdup(a, out.data, out.size);
    ret->fields_size = out.size;
}

/* The monitor is told numbers: "udp://192.0.2.1 514". */
static const char *plain_address(const char *address, struct arena *a) {
    const char *rest = address ? strstr(address, "://") + 3 : NULL;
    char number[128];

    if (!rest || strncmp(address, "unix", 4) == 0 || parse_inet(rest, number, sizeof(number), NULL) < 0)
        return address;
    return arena_printf(a, "%.*s%s", (int)(rest - address), address, number);
}

int log_options_fill(const struct container_record *c, struct arena *a, struct monitor_log_options *ret, struct error *e) {
    struct asked x = {0};
    struct map extra = {0};
    char program[SELF_PATH_MAX];
    const char *tag = NULL;
    int r = parse(&c->host.log, &x, e);

    if (r < 0)
        return r;
    extra_attributes(c, &x, a, &extra);
    if (BIT(x.o.driver) & REMOTE || (x.tag && *x.tag))
        r = expand_tag(c, x.tag && *x.tag ? x.tag : DEFAULT_TEMPLATE, a, &tag, e);
    if (r < 0)
        return r;
    if (x.o.driver == LOG_JOURNALD)
        journal_fields(c, tag, &extra, a, &x.o);
    else if (tag && x.o.driver == LOG_JSON_FILE)
        map_set(a, &extra, "tag", tag);
    x.o.tag = tag;
    if (x.compress) {
        self_program_path("tare-unpack", program);
        x.o.compressor = arena_strdup(a, program);
    }
    x.o.address = plain_address(x.o.address, a);
    if (x.o.driver == LOG_JSON_FILE)
        x.o.attrs = object_text(&extra, a);
    *ret = x.o;
    return 0;
}
