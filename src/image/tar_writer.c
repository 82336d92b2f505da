#include "image/tar_writer.h"

#include <string.h>
#include <sys/sendfile.h>

#include "base/fs.h"

#define BLOCK          512
#define OCTAL_SIZE_MAX ((uint64_t)8 << 30) /* eleven octal digits */

struct header {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100];
    char magic[6], version[2], user[32], group[32], major[8], minor[8], prefix[155], rest[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a tar header is one block");

/* Larger sizes as a binary number with the top bit set (GNU and everybody since). */
static void put_size(char field[12], uint64_t size) {
    if (size < OCTAL_SIZE_MAX) {
        char text[13];

        (void)snprintf(text, sizeof(text), "%011llo", (unsigned long long)size);
        memcpy(field, text, 12);
        return;
    }
    memset(field, 0, 12);
    field[0] = (char)0x80;
    for (size_t i = 0; i < 8; i++)
        field[11 - i] = (char)(size >> (8 * i));
}

static int put(struct tar_writer *t, const void *p, size_t n, struct error *e) {
    int r = fs_write_all(t->fd, p, n);

    return r < 0 ? error_errno(e, r, "write the archive") : 0;
}

static int put_header(struct tar_writer *t, const char *name, char type, unsigned mode, uint64_t size, struct error *e) {
    struct header h = {.uid = "0000000", .gid = "0000000", .mtime = "00000000000", .type = type, .magic = "ustar", .version = "00"};
    const unsigned char *bytes = (const unsigned char *)&h;
    unsigned sum = 0;
    char text[16];

    if (strlen(name) >= sizeof(h.name))
        return error_set(e, -ENAMETOOLONG, "%s does not fit an archive's header", name);
    memcpy(h.name, name, strlen(name));
    (void)snprintf(h.mode, sizeof(h.mode), "%07o", mode);
    put_size(h.size, size);
    h.version[0] = h.version[1] = '0';
    memset(h.checksum, ' ', sizeof(h.checksum));
    for (size_t i = 0; i < sizeof(h); i++)
        sum += bytes[i];
    (void)snprintf(text, sizeof(text), "%06o", sum);
    memcpy(h.checksum, text, 7);
    return put(t, &h, sizeof(h), e);
}

static int pad(struct tar_writer *t, uint64_t size, struct error *e) {
    static const char zeros[BLOCK];
    size_t rest = (size_t)(size % BLOCK);

    return rest ? put(t, zeros, BLOCK - rest, e) : 0;
}

int tar_write_dir(struct tar_writer *t, const char *name, struct error *e) {
    char slashed[128];

    (void)snprintf(slashed, sizeof(slashed), "%.100s/", name);
    return put_header(t, slashed, '5', 0755, 0, e);
}

int tar_write_data(struct tar_writer *t, const char *name, const void *p, size_t n, struct error *e) {
    int r = put_header(t, name, '0', 0644, n, e);

    if (r == 0)
        r = put(t, p, n, e);
    return r < 0 ? r : pad(t, n, e);
}

int tar_write_file(struct tar_writer *t, const char *name, int from, uint64_t size, struct error *e) {
    int r = put_header(t, name, '0', 0644, size, e);
    off_t at = 0;

    while (r == 0 && (uint64_t)at < size) {
        size_t want = (size_t)MIN_OF(size - (uint64_t)at, (uint64_t)1 << 30);
        ssize_t n = sendfile(t->fd, from, &at, want);

        if (n < 0 && errno != EINTR && errno != EAGAIN)
            r = error_errno(e, -errno, "copy %s into the archive", name);
        if (n == 0)
            r = error_set(e, -EIO, "%s is shorter than it was", name);
    }
    return r < 0 ? r : pad(t, size, e);
}

int tar_write_end(struct tar_writer *t, struct error *e) {
    static const char zeros[2 * BLOCK];

    return put(t, zeros, sizeof(zeros), e);
}
