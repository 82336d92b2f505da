#include "kernel/mountinfo.h"

#include <fcntl.h>
#include <string.h>

#include "base/fs.h"

#define MOUNTINFO_MAX ((size_t)16 << 20) /* a host with thousands of mounts has a long one */

int mountinfo_read(struct buf *ret, struct error *e) {
    _cleanup_fd_ int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);

    return fd < 0 ? error_errno(e, -errno, "open /proc/self/mountinfo") : fs_read_fd(fd, MOUNTINFO_MAX, ret, e);
}

bool mountinfo_is(struct mountinfo_span word, const char *text) {
    return strlen(text) == word.n && memcmp(word.text, text, word.n) == 0;
}

/* Splits off the next word of a line; the rest stays in *line. */
static struct mountinfo_span next_word(struct mountinfo_span *line) {
    const char *space = memchr(line->text, ' ', line->n);
    struct mountinfo_span word = {line->text, space ? (size_t)(space - line->text) : line->n};
    size_t skip = space ? word.n + 1 : word.n;

    line->text += skip;
    line->n -= skip;
    return word;
}

static bool parse_line(struct mountinfo_span line, struct mountinfo_line *ret) {
    struct mountinfo_span word;

    for (int i = 0; i < 5; i++) /* id, parent, device, root, mount point */
        ret->point = next_word(&line);
    do { /* options and optional fields, up to the lone dash */
        if (line.n == 0)
            return false;
        word = next_word(&line);
    } while (!mountinfo_is(word, "-"));
    ret->type = next_word(&line);
    (void)next_word(&line); /* source */
    ret->options = line;
    return true;
}

bool mountinfo_next(const char **text, struct mountinfo_line *ret) {
    bool found = false;

    while (!found && **text) {
        size_t n = strcspn(*text, "\n");

        found = parse_line((struct mountinfo_span){*text, n}, ret);
        *text += (*text)[n] ? n + 1 : n;
    }
    return found;
}

/* Space, tab, newline and backslash come as three octal digits. */
bool mountinfo_unescape(struct mountinfo_span in, char *out, size_t size) {
    size_t n = 0;

    for (size_t i = 0; i < in.n; i++) {
        char c = in.text[i];

        if (c == '\\' && i + 3 < in.n) {
            c = (char)((in.text[i + 1] - '0') << 6 | (in.text[i + 2] - '0') << 3 | (in.text[i + 3] - '0'));
            i += 3;
        }
        if (n + 1 >= size)
            return false;
        out[n++] = c;
    }
    out[n] = '\0';
    return true;
}
