/* Undo journals: whole, torn, foreign, undone twice. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fs.h"
#include "runtime/journal.h"

static char root[64];
static int dir;

static int setup(void **state) {
    (void)state;
    strcpy(root, "/tmp/tare-journal-XXXXXX");
    if (!mkdtemp(root))
        return -1;
    dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return dir < 0 ? -1 : 0;
}

static int teardown(void **state) {
    (void)state;
    close(dir);
    return fs_remove_tree_at(AT_FDCWD, root, NULL);
}

static char *path(char text[256], const char *name) {
    snprintf(text, 256, "%s/%s", root, name);
    return text;
}

static void touch(const char *name) {
    int fd = openat(dir, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    close(fd);
}

static bool exists(const char *name) {
    return faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void in_reverse_and_twice(void **state) {
    _cleanup_journal_ struct journal j = JOURNAL_INIT;
    _cleanup_error_ struct error e = ERROR_INIT;
    char a[256], b[256], c[256];

    (void)state;
    /* Only in reverse order can the directory go: the odd names are escaped. */
    journal_add(&j, JOURNAL_RMDIR, path(a, "d\tir\n"));
    journal_add(&j, JOURNAL_UNLINK, path(b, "d\tir\n/fi\\le"));
    journal_add(&j, JOURNAL_TREE, path(c, "tree"));
    assert_int_equal(journal_write(dir, "journal", &j, false, &e), 0);
    assert_int_equal(mkdirat(dir, "d\tir\n", 0700), 0);
    touch("d\tir\n/fi\\le");
    assert_int_equal(mkdirat(dir, "tree", 0700), 0);
    touch("tree/leaf");
    assert_int_equal(journal_undo(dir, "journal", &e), 0);
    assert_false(exists("d\tir\n"));
    assert_false(exists("tree"));
    assert_false(exists("journal"));
    assert_int_equal(journal_undo(dir, "journal", &e), 0);
    /* Written, but nothing of it done: also fine. */
    assert_int_equal(journal_write(dir, "journal", &j, true, &e), 0);
    assert_int_equal(journal_undo(dir, "journal", &e), 0);
}

static void into_the_trash(void **state) {
    _cleanup_journal_ struct journal j = JOURNAL_INIT;
    _cleanup_error_ struct error e = ERROR_INIT;
    char a[256], b[256];

    (void)state;
    assert_int_equal(mkdirat(dir, "trash", 0700), 0);
    assert_int_equal(mkdirat(dir, "container", 0700), 0);
    journal_add(&j, JOURNAL_TRASH, path(a, "container"), path(b, "trash"), "c1");
    assert_int_equal(journal_write(dir, "container/journal", &j, false, &e), 0);
    assert_int_equal(journal_undo(dir, "container/journal", &e), 0); /* the journal goes with the directory it lies in */
    assert_false(exists("container"));
    assert_true(exists("trash/c1"));
}

static void write_text(const char *text) {
    assert_int_equal(fs_replace_at(dir, "journal", text, strlen(text), 0600, FS_NO_SYNC, NULL), 0);
}

static void torn_and_foreign(void **state) {
    _cleanup_error_ struct error e = ERROR_INIT;
    char text[512];

    (void)state;
    touch("keep");
    snprintf(text, sizeof(text), "tare-journal 1\nunlink\t%s/keep\n", root);
    write_text(text); /* without its end: nothing had been done */
    assert_int_equal(journal_undo(dir, "journal", &e), 0);
    assert_true(exists("keep"));
    assert_false(exists("journal"));
    write_text("tare-journal 2\nend\n");
    assert_int_equal(journal_undo(dir, "journal", &e), -EPROTO);
    assert_non_null(strstr(e.text, "later version"));
    snprintf(text, sizeof(text), "tare-journal 1\nfly\tmoon\nunlink\t%s/keep\nunlink\trelative\nend\n", root);
    write_text(text);
    assert_int_equal(journal_undo(dir, "journal", &e), -EPROTO); /* told, but what could be undone is */
    assert_false(exists("keep"));
    assert_true(exists("journal"));
}

/* A name is given back by its owner alone. */
static void names(void **state) {
    _cleanup_journal_ struct journal j = JOURNAL_INIT;
    char mine[256], other[256], none[256], file[256];

    (void)state;
    journal_add(&j, JOURNAL_NAME, path(mine, "mine"), "a1");
    journal_add(&j, JOURNAL_NAME, path(other, "other"), "a1");
    journal_add(&j, JOURNAL_NAME, path(none, "none"), "a1");
    journal_add(&j, JOURNAL_NAME, path(file, "file"), "a1");
    assert_int_equal(symlinkat("a1", dir, "mine"), 0);
    assert_int_equal(symlinkat("a12", dir, "other"), 0);
    touch("file");
    assert_int_equal(journal_write(dir, "journal", &j, false, NULL), 0);
    assert_int_equal(journal_undo(dir, "journal", NULL), 0);
    assert_false(exists("mine"));
    assert_true(exists("other"));
    assert_true(exists("file"));
    assert_false(exists("journal"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(in_reverse_and_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(into_the_trash, setup, teardown),
        cmocka_unit_test_setup_teardown(names, setup, teardown),
        cmocka_unit_test_setup_teardown(torn_and_foreign, setup, teardown),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
