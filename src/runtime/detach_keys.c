#include "runtime/detach_keys.h"

#include <string.h>

#include "runtime/monitor_client.h"

/* One key of the specification, n bytes long; -1 when it is none. */
static int key_parse(const char *s, size_t n) {
    char c;

    if (n == 1)
        return (unsigned char)s[0];
    if (n != 6 || strncmp(s, "ctrl-", 5) != 0)
        return -1;
    c = s[5];
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 1;
    if (c == '@')
        return 0;
    if (c >= '[' && c <= '_')
        return c - '[' + 27;
    return -1;
}

int detach_keys_parse(const char *spec, struct detach_keys *ret, struct error *e) {
    struct detach_keys d = {0};
    const char *p = spec ? spec : DETACH_KEYS_DEFAULT;

    while (*p) {
        size_t n = p[0] == ',' && (p[1] == ',' || !p[1]) ? 1 : strcspn(p, ",");
        int key = key_parse(p, n);

        if (key < 0 || d.n == DETACH_KEYS_MAX) {
            error_set(e, -EINVAL, "invalid detach keys %s", spec);
            return error_hint(e, "letters, or ctrl- with one of a-z @ [ \\ ] ^ _ , separated by commas, at most %d",
                              DETACH_KEYS_MAX);
        }
        d.keys[d.n++] = (unsigned char)key;
        p += n;
        if (*p == ',' && p[1])
            p++;
        else if (*p)
            return error_set(e, -EINVAL, "invalid detach keys %s", spec);
    }
    *ret = d;
    return 0;
}

int detach_keys_check(const char *spec, struct error *e) {
    struct detach_keys d;

    return detach_keys_parse(spec, &d, e);
}

bool detach_keys_filter(struct detach_keys *d, const unsigned char *in, size_t n, unsigned char *out, size_t *ret_n) {
    size_t w = 0;

    for (size_t i = 0; i < n; i++) {
        if (d->n && in[i] != d->keys[d->matched] && d->matched) {
            memcpy(out + w, d->keys, d->matched); /* it was not the sequence after all */
            w += d->matched;
            d->matched = 0;
        }
        if (d->n == 0 || in[i] != d->keys[d->matched]) {
            out[w++] = in[i];
            continue;
        }
        if (++d->matched == d->n) {
            d->matched = 0;
            *ret_n = w;
            return true;
        }
    }
    *ret_n = w;
    return false;
}
