/* base/heap.c under names of its own, since what runs here is linked to glibc. */
#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#undef __GLIBC__
#define malloc             heap_malloc
#define calloc             heap_calloc
#define realloc            heap_realloc
#define free               heap_free
#define malloc_usable_size heap_usable
void *heap_malloc(size_t size);
void *heap_calloc(size_t n, size_t each);
void *heap_realloc(void *p, size_t size);
void heap_free(void *p);
size_t heap_usable(void *p);
#include "base/heap.c"

#define BLOCKS 512
#define ROUNDS 200000

static unsigned next_random(unsigned *state) {
    *state = *state * 1103515245u + 12345u;
    return *state >> 8;
}

static size_t some_size(unsigned *state) {
    unsigned r = next_random(state);

    return r % 100 == 0 ? next_random(state) % 300000 : r % 5 == 0 ? next_random(state) % 9000 : next_random(state) % 200;
}

static void check(const unsigned char *p, size_t n, unsigned char pattern) {
    for (size_t i = 0; i < n; i++)
        assert_int_equal(p[i], pattern);
}

/* Each block holds a pattern of its own: two that overlap would be seen. */
static void test_blocks_are_apart(void **state) {
    static unsigned char *p[BLOCKS];
    static size_t size[BLOCKS];
    unsigned seed = 1;

    for (int i = 0; i < ROUNDS; i++) {
        unsigned k = next_random(&seed) % BLOCKS;
        size_t wanted = some_size(&seed);
        unsigned char pattern = (unsigned char)k;

        switch (next_random(&seed) % 4) {
        case 0:
            if (p[k])
                check(p[k], size[k], pattern);
            free(p[k]);
            p[k] = calloc(1, wanted);
            check(p[k], wanted, 0);
            break;
        case 1:
            p[k] = realloc(p[k], wanted);
            check(p[k], size[k] < wanted ? size[k] : wanted, pattern);
            break;
        case 2:
            free(p[k]);
            p[k] = malloc(wanted);
            break;
        default:
            free(p[k]);
            p[k] = NULL;
            size[k] = 0;
            continue;
        }
        size[k] = wanted;
        assert_true(malloc_usable_size(p[k]) >= wanted && (uintptr_t)p[k] % 16 == 0);
        memset(p[k], pattern, wanted);
    }
    for (int k = 0; k < BLOCKS; k++)
        free(p[k]);
}

static void test_sizes(void **state) {
    for (size_t n = 0; n <= LARGE_MIN; n++) {
        size_t size = n, again, class = class_of(&size);

        again = size;
        assert_true(class < CLASSES && size >= n && size % 16 == 0 && size <= n + n / 4 + 16);
        assert_int_equal(class_of(&again), class);
        assert_int_equal(again, size);
    }
    assert_null(malloc(SIZE_MAX));
    assert_int_equal(errno, ENOMEM);
    assert_null(calloc(SIZE_MAX / 2, 3));
    assert_null(realloc(NULL, SIZE_MAX - 4));
}

/* What is freed is used again: a loop holds no more than its largest round. */
static void test_reuse(void **state) {
    unsigned char *before = at, *edge = end;

    for (int i = 0; i < 100000; i++) {
        void *a = malloc(100), *b = malloc(5000);

        free(a);
        free(b);
    }
    assert_true(edge == end ? at - before < 12000 : at < end);
    for (int i = 0; i < 3; i++) { /* mappings go back */
        void *p = malloc((size_t)64 << 20);

        assert_non_null(p);
        p = realloc(p, (size_t)128 << 20);
        assert_non_null(p);
        free(p);
    }
}

static void expect_abort(void (*fn)(void)) {
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        (void)signal(SIGABRT, SIG_DFL);
        fn();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void *block_at(unsigned char *p) {
    return p - offsetof(struct block, data);
}

static void free_twice(void) {
    void *p = malloc(10);

    free(p);
    free(p);
}

static void free_a_stranger(void) {
    static _Alignas(16) unsigned char room[64];

    free(room + 32);
}

static void use_what_was_written_over(void) {
    unsigned char *p = malloc(16);

    free(p);
    memset(block_at(p), 1, sizeof(struct block));
    (void)malloc(16);
}

static void test_damage_ends_the_program(void **state) {
    expect_abort(free_twice);
    expect_abort(free_a_stranger);
    expect_abort(use_what_was_written_over);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_blocks_are_apart),
        cmocka_unit_test(test_reuse),
        cmocka_unit_test(test_damage_ends_the_program),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("heap", tests, NULL, NULL);
}
