#include "runtime/health.h"

#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/id.h"

/* A line: start, end, exit code, output in hexadecimal ("-" for none). Crude, but it is only read by inspect. */
#define FILE_MAX ((size_t)(HEALTH_ENTRIES + 1) * (2 * HEALTH_OUTPUT_MAX + 256))

static void add_line(const struct health_entry *entry, struct buf *b) {
    size_t n = MIN_OF(entry->output_size, HEALTH_OUTPUT_MAX);
    char start[TIME_TEXT_MAX], end[TIME_TEXT_MAX], *hex;

    time_format(entry->start, start);
    time_format(entry->end, end);
    buf_printf(b, "%s %s %d ", start, end, entry->exit_code);
    if (n && buf_reserve(b, 2 * n + 1)) {
        hex = b->data + b->size;
        hex_encode(entry->output, n, hex);
        b->size += 2 * n;
    } else {
        buf_add_char(b, '-');
    }
    buf_add_char(b, '\n');
}

int health_append(int run_dirfd, const struct health_entry *entry, struct error *e) {
    _cleanup_buf_ struct buf old = BUF_INIT, text = BUF_INIT;
    const char *from;
    size_t lines = 0;
    int r = fs_read_at(run_dirfd, HEALTH_FILE, FILE_MAX, &old, NULL);

    if (r < 0)
        buf_clear(&old); /* none yet */
    from = buf_text(&old);
    for (const char *p = from; (p = strchr(p, '\n')); p++)
        lines++;
    for (; lines >= HEALTH_ENTRIES; lines--)
        from = strchr(from, '\n') + 1;
    buf_add_str(&text, from);
    add_line(entry, &text);
    return fs_replace_at(run_dirfd, HEALTH_FILE, text.data, text.size, 0600, FS_NO_SYNC, e);
}

static int digit(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void read_line(char *line, struct arena *a, struct list *list) {
    char *save = NULL, *start = strtok_r(line, " ", &save), *end = strtok_r(NULL, " ", &save), *code = strtok_r(NULL, " ", &save),
         *hex = strtok_r(NULL, " ", &save), *output;
    struct health_entry *entry;
    size_t n;

    if (!start || !end || !code || !hex)
        return;
    entry = LIST_ADD(a, struct health_entry, list);
    (void)time_parse(start, &entry->start);
    (void)time_parse(end, &entry->end);
    entry->exit_code = (int)strtol(code, NULL, 10);
    n = *hex == '-' ? 0 : strlen(hex) / 2;
    output = arena_alloc(a, n + 1);
    for (size_t i = 0; i < n; i++)
        output[i] = (char)((unsigned)digit(hex[2 * i]) << 4 | (unsigned)digit(hex[2 * i + 1]));
    entry->output = output;
    entry->output_size = n;
}

int health_read(int run_dirfd, struct arena *a, struct list *ret, struct error *e) {
    _cleanup_buf_ struct buf b = BUF_INIT;
    struct list list = {0};
    char *save = NULL;
    int r = fs_read_at(run_dirfd, HEALTH_FILE, FILE_MAX, &b, NULL);

    if (r < 0 && r != -ENOENT)
        return error_errno(e, r, "read the health checks");
    for (char *line = b.data ? strtok_r(b.data, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save))
        read_line(line, a, &list);
    *ret = list;
    return 0;
}
