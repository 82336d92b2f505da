/* What a container asks for in words: signals by name, lists of processors. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "model/cpu_list.h"
#include "model/signal_name.h"

static void test_signals(void **state) {
    static const struct {
        const char *text;
        int number;
    } rows[] = {
        {"SIGTERM", SIGTERM},
        {"term", SIGTERM},
        {"Kill", SIGKILL},
        {"15", 15},
        {"64", 64},
        {"0", 0},
        {"65", 0},
        {"-9", 0},
        {"9x", 0},
        {"FOO", 0},
        {"", 0},
        {"SIG", 0},
        {"RTMIN", 34},
        {"SIGRTMIN+3", 37},
        {"RTMAX", 64},
        {"RTMAX-1", 63},
        {"RTMAX+1", 0},
        {"RTMIN-1", 0},
        {"RTMIN+3000000", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (signal_parse(rows[i].text) != rows[i].number)
            fail_msg("\"%s\": %d", rows[i].text, signal_parse(rows[i].text));
}

static void test_cpu_lists(void **state) {
    enum { NO, YES, BAD };
    static const struct {
        const char *asked, *available;
        int within;
    } rows[] = {
        {"0", "0-1", YES},
        {"0-1", "0-1", YES},
        {"1,0", "0-1", YES},
        {"2", "0-1", NO},
        {"0-2", "0-1", NO},
        {"0-3", "0-1,2-3", YES},
        {"0-3", "0-1,3", NO},
        {"0,3", "0-1,3", YES},
        {"", "0", YES},
        {"x", "0", BAD},
        {"1-0", "0-1", BAD},
        {"0-", "0-1", BAD},
        {"0,", "0-1", BAD},
        {",0", "0-1", BAD},
        {"0 1", "0-1", BAD},
        {"-1", "0-1", BAD},
        {"99999999999999999999", "0-1", NO},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        _cleanup_error_ struct error e = ERROR_INIT;
        bool in = false;
        int r = cpu_list_within(rows[i].asked, rows[i].available, &in, &e);

        if ((r < 0 ? BAD : in ? YES : NO) != rows[i].within)
            fail_msg("\"%s\" in \"%s\": %d %d", rows[i].asked, rows[i].available, r, in);
    }
}

int main(void) {
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_signals), cmocka_unit_test(test_cpu_lists)};

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
