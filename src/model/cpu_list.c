#include "model/cpu_list.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Takes "3" or "3-5" and the comma behind it. */
static bool take_range(const char **p, unsigned long *first, unsigned long *last) {
    char *end;

    if (!isdigit((unsigned char)**p))
        return false;
    *first = *last = strtoul(*p, &end, 10);
    if (*end == '-') {
        if (!isdigit((unsigned char)end[1]))
            return false;
        *last = strtoul(end + 1, &end, 10);
    }
    if (*end == ',' && end[1])
        end++;
    else if (*end)
        return false;
    *p = end;
    return *first <= *last;
}

/* The lists are short and the kernel's is sorted: what lies before `first` is passed over, a gap ends the walk. */
static int range_within(unsigned long first, unsigned long last, const char *available, bool *ret) {
    unsigned long from, to;

    for (const char *p = available; *p;) {
        if (!take_range(&p, &from, &to))
            return -EINVAL;
        if (first >= from && first <= to) {
            if (last <= to) {
                *ret = true;
                return 0;
            }
            first = to + 1;
        }
    }
    *ret = false;
    return 0;
}

int cpu_list_within(const char *asked, const char *available, bool *ret, struct error *e) {
    unsigned long first, last;
    bool all = true;

    for (const char *p = asked; *p;) {
        bool in = false;

        if (!take_range(&p, &first, &last) || range_within(first, last, available, &in) < 0)
            return error_set(e, -EINVAL, "\"%s\" is not a list such as 0-3,7", asked);
        all = all && in;
    }
    *ret = all;
    return 0;
}

int cpu_list_bits(const char *list, unsigned char *bits, size_t size, size_t *ret_n, struct error *e) {
    unsigned long first, last;
    size_t n = 0;

    memset(bits, 0, size);
    for (const char *p = list; *p;) {
        if (!take_range(&p, &first, &last) || last / 8 >= size)
            return error_set(e, -EINVAL, "\"%s\" is not a list like 0-3,7", list);
        for (unsigned long i = first; i <= last; i++)
            bits[i / 8] |= (unsigned char)(1U << i % 8);
        n = MAX_OF(n, last / 8 + 1);
    }
    *ret_n = n;
    return 0;
}
