/* The running kernel's packet filter, in a network namespace of the test's own: run as root, else skipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <sched.h>
#include <time.h>
#include <unistd.h>

#include "kernel/nft.h"

#define TABLE    "t"
#define TICKS_MS 20 /* more than one of the kernel's clock */

static bool ready;

static int set_up(void **state) {
    (void)state;
    ready = geteuid() == 0 && unshare(CLONE_NEWNET) == 0;
    return 0;
}

#define NEEDS_NAMESPACE()                                                                                                          \
    do {                                                                                                                           \
        if (!ready)                                                                                                                \
            skip();                                                                                                                \
    } while (0)
#define CHECK(call)                                                                                                                \
    do {                                                                                                                           \
        _cleanup_error_ struct error e = ERROR_INIT;                                                                               \
        if ((call) < 0)                                                                                                            \
            fail_msg("%s", e.text);                                                                                                \
    } while (0)

static void make_table(bool is_changing) {
    const struct nft_set map = {.name = "m",
                                .key_type = NFT_TYPE_IPV4,
                                .key_size = 4,
                                .data_type = NFT_TYPE_IPV4,
                                .data_size = 4,
                                .is_changing = is_changing},
                         set = {.name = "s", .key_type = NFT_TYPE_IPV4, .key_size = 4, .is_changing = is_changing};
    _cleanup_netlink_batch_ struct netlink_batch b = NETLINK_BATCH_INIT;

    nft_begin(&b);
    nft_add_table(&b, 0, TABLE, NULL, false);
    nft_delete_table(&b, 0, TABLE);
    nft_add_table(&b, 0, TABLE, "a test's", true);
    nft_add_set(&b, TABLE, &map);
    nft_add_set(&b, TABLE, &set);
    CHECK(nft_commit(&b, &e));
}

/* `data` 0: of the set. */
static struct nft_element element(uint32_t key, uint32_t data) {
    struct nft_element v = {.set = "s"};

    if (data)
        v.set[0] = 'm';
    nft_element_key(&v, &key, sizeof(key));
    if (data)
        nft_element_data(&v, &data, sizeof(data));
    return v;
}

static void ticks(void) {
    (void)nanosleep(&(struct timespec){.tv_nsec = TICKS_MS * 1000000}, NULL);
}

/* An element that is there cannot be given another value. */
static void assert_is_there(struct nft_element v, bool yes) {
    uint32_t other = 0xffffffff;

    memcpy(v.data, &other, sizeof(other));
    assert_int_equal(nft_elements_add(TABLE, &v, 1, NULL), yes ? -EEXIST : 0);
    if (!yes)
        CHECK(nft_elements_delete(TABLE, &v, 1, &e));
}

static void taken_away_and_given_again(bool is_changing, uint32_t times) {
    struct nft_element first, second;

    make_table(is_changing);
    for (uint32_t i = 1; i <= times; i++) {
        first = element(7, i);
        CHECK(nft_elements_add(TABLE, &first, 1, &e));
        CHECK(nft_elements_delete(TABLE, &first, 1, &e));
    }
    assert_is_there(first, false);

    /* At once, with the same value: it stays. */
    for (int i = 0; i < 3; i++) {
        CHECK(nft_elements_add(TABLE, &first, 1, &e));
        CHECK(nft_elements_delete(TABLE, &first, 1, &e));
    }
    CHECK(nft_elements_add(TABLE, &first, 1, &e));
    ticks();
    assert_is_there(first, true);

    /* A key whose value is not known, and one that somebody else has given another value in between. */
    second = first;
    second.data_size = 0;
    CHECK(nft_elements_delete(TABLE, &second, 1, &e));
    assert_is_there(first, false);
    CHECK(nft_elements_delete(TABLE, &first, 1, &e)); /* twice */
    ticks();
    assert_is_there(first, false);

    /* Several together, of both kinds, one of which is gone. */
    struct nft_element all[] = {element(1, 1), element(2, 2), element(3, 0), element(4, 0)};

    CHECK(nft_elements_add(TABLE, all, 3, &e));
    CHECK(nft_elements_delete(TABLE, all, 4, &e));
    for (int i = 0; i < 2; i++)
        assert_is_there(all[i], false);
}

static void expiring(void **state) {
    (void)state;
    NEEDS_NAMESPACE();
    taken_away_and_given_again(true, 300); /* far more often than the kernel collects */
}

static void deleting(void **state) {
    (void)state;
    NEEDS_NAMESPACE();
    taken_away_and_given_again(false, 3); /* each waits for a grace period */
}

static void absent_table(void **state) {
    struct nft_element v = element(1, 1);
    _cleanup_netlink_batch_ struct netlink_batch b = NETLINK_BATCH_INIT;

    (void)state;
    NEEDS_NAMESPACE();
    make_table(true);
    nft_begin(&b);
    nft_delete_table(&b, 0, TABLE);
    CHECK(nft_commit(&b, &e));
    CHECK(nft_elements_delete(TABLE, &v, 1, &e));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expiring),
        cmocka_unit_test(deleting),
        cmocka_unit_test(absent_table),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, NULL);
}
