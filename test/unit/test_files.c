/* The archive writer and the comparison of an upper directory with layers. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <cmocka.h>

#include "base/fs.h"
#include "engine/changes.h"
#include "engine/tar_stream.h"

struct place {
    char path[64];
    int fd;
};

static int make_place(void **state) {
    struct place *p = calloc(1, sizeof(*p));

    (void)snprintf(p->path, sizeof(p->path), "/tmp/tare-files.XXXXXX");
    if (!mkdtemp(p->path))
        return -1;
    p->fd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *state = p;
    return p->fd < 0 ? -1 : 0;
}

static int remove_place(void **state) {
    struct place *p = *state;

    (void)fs_remove_tree_at(AT_FDCWD, p->path, NULL);
    (void)fd_close(p->fd);
    free(p);
    return 0;
}

static void make_file(int dir, const char *name, const char *text) {
    _cleanup_fd_ int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    const struct timespec times[2] = {{1000, 0}, {1000, 0}};

    assert_true(fd >= 0);
    assert_int_equal(fs_write_all(fd, text, strlen(text)), 0);
    assert_int_equal(futimens(fd, times), 0);
}

static char *archive_of(struct place *p, const char *dir, size_t *ret_size) {
    _cleanup_fd_ int fd = openat(p->fd, "out.tar", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    _cleanup_tar_stream_ struct tar_stream t = TAR_STREAM_INIT(fd);
    _cleanup_error_ struct error e = ERROR_INIT;
    struct buf b = BUF_INIT;

    assert_int_equal(tar_stream_add_tree(&t, p->fd, dir, "", NULL, NULL, &e), 0);
    assert_int_equal(tar_stream_end(&t, &e), 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_int_equal(fs_read_fd(fd, (size_t)64 << 20, &b, &e), 0);
    assert_int_equal(b.size, t.bytes);
    assert_int_equal(b.size % 512, 0);
    *ret_size = b.size;
    return buf_steal(&b);
}

static void test_same_input_same_bytes(void **state) {
    struct place *p = *state;
    size_t one, two;

    assert_int_equal(mkdirat(p->fd, "a", 0755), 0);
    assert_int_equal(mkdirat(p->fd, "b", 0755), 0);
    make_file(p->fd, "a/one", "1");
    make_file(p->fd, "a/two", "22");
    make_file(p->fd, "b/two", "22"); /* made in another order */
    make_file(p->fd, "b/one", "1");
    _cleanup_free_ char *a = archive_of(p, "a", &one), *b = archive_of(p, "b", &two);
    assert_int_equal(one, two);
    assert_memory_equal(a, b, one);
    assert_string_equal(a, "one");
    assert_memory_equal(a + 257,
                        "ustar\0"
                        "00",
                        8);
    assert_int_equal(a[512], '1');
}

static void test_long_names_and_links(void **state) {
    struct place *p = *state;
    char name[201], record[240];
    size_t size;

    memset(name, 'n', 200);
    name[200] = '\0';
    assert_int_equal(mkdirat(p->fd, "a", 0755), 0);
    make_file(p->fd, "a/x", "same");
    assert_int_equal(linkat(p->fd, "a/x", p->fd, "a/y", 0), 0);
    assert_int_equal(symlinkat(name, p->fd, "a/l"), 0);
    _cleanup_free_ char *a = archive_of(p, "a", &size);
    (void)snprintf(record, sizeof(record), "214 linkpath=%s\n", name);
    assert_non_null(memmem(a, size, record, strlen(record)));
    /* l: header, record (its own header and one block), then x with content, then y as a link without. */
    const char *y = a + size - 1024 - 512;
    assert_string_equal(y, "y");
    assert_int_equal(y[156], '1');
    assert_string_equal(y + 157, "x");
}

static void expect_change(const struct list *l, size_t i, char letter, const char *path) {
    const struct change *c = LIST_AT(struct change, l, i);

    assert_int_equal(change_letter(c->kind), letter);
    assert_string_equal(c->path, path);
}

static void test_changes(void **state) {
    struct place *p = *state;
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_error_ struct error e = ERROR_INIT;
    struct list found = {0};

    for (const char *const *d =
             (const char *const[]){"low", "low/etc", "low/gone", "low/old", "up", "up/etc", "up/dev", "up/new", "up/old", NULL};
         *d; d++)
        assert_int_equal(mkdirat(p->fd, *d, 0755), 0);
    make_file(p->fd, "low/etc/kept", "");
    make_file(p->fd, "low/etc/changed", "");
    make_file(p->fd, "low/old/file", "");
    make_file(p->fd, "low/old/both", "");
    make_file(p->fd, "up/etc/changed", "now");
    make_file(p->fd, "up/etc/hosts", ""); /* the engine's */
    make_file(p->fd, "up/new/file", "");
    make_file(p->fd, "up/old/both", "");
    _cleanup_fd_ int up = openat(p->fd, "up", O_RDONLY | O_CLOEXEC), low = openat(p->fd, "low", O_RDONLY | O_CLOEXEC);
    _cleanup_fd_ int old = openat(p->fd, "up/old", O_RDONLY | O_CLOEXEC);
    if (fsetxattr(old, "user.overlay.opaque", "y", 1, 0) < 0)
        skip(); /* a file system without them */
    make_file(p->fd, "up/gone", "");
    _cleanup_fd_ int gone = openat(p->fd, "up/gone", O_RDONLY | O_CLOEXEC);
    assert_int_equal(fsetxattr(gone, "user.overlay.whiteout", "y", 1, 0), 0);
    assert_int_equal(changes_read(up, false, &(struct id_shift){0}, &low, 1, &a, &found, &e), 0);
    assert_int_equal(found.n, 8);
    expect_change(&found, 0, 'C', "/etc");
    expect_change(&found, 1, 'C', "/etc/changed");
    expect_change(&found, 2, 'D', "/gone");
    expect_change(&found, 3, 'A', "/new");
    expect_change(&found, 4, 'A', "/new/file");
    expect_change(&found, 5, 'C', "/old");
    expect_change(&found, 6, 'C', "/old/both");
    expect_change(&found, 7, 'D', "/old/file");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_same_input_same_bytes, make_place, remove_place),
        cmocka_unit_test_setup_teardown(test_long_names_and_links, make_place, remove_place),
        cmocka_unit_test_setup_teardown(test_changes, make_place, remove_place),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
