#include "model/units.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

int int_parse(const char *text, int64_t min, int64_t max, int64_t *ret) {
    if (!text || (!isdigit((unsigned char)text[0]) && text[0] != '-' && text[0] != '+'))
        return -EINVAL;
    char *end;
    errno = 0;
    long long v = strtoll(text, &end, 0);
    if (end == text || *end)
        return -EINVAL;
    if (errno == ERANGE || v < min || v > max)
        return -ERANGE;
    *ret = v;
    return 0;
}

int bool_parse(const char *text, bool *ret) {
    static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True"};
    static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False"};
    for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
        if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
            *ret = strcmp(text, yes[i]) == 0;
            return 0;
        }
    }
    return -EINVAL;
}

/* Digits with at most one point; *end is left behind them. strtod would take "inf", "nan", hexadecimal and exponents. */
static int decimal_parse(const char *text, const char **end, long double *ret) {
    long double v = 0, place = 1;
    bool point = false, any = false;
    for (; *text; text++) {
        if (*text == '.' && !point) {
            point = true;
        } else if (isdigit((unsigned char)*text)) {
            any = true;
            v = v * 10 + (*text - '0');
            if (point)
                place *= 10;
        } else {
            break;
        }
    }
    if (!any)
        return -EINVAL;
    *end = text;
    *ret = v / place;
    return 0;
}

int size_parse(const char *text, int64_t *ret_bytes, struct error *e) {
    if (strcmp(text, "-1") == 0) {
        *ret_bytes = -1;
        return 0;
    }
    const char *end;
    long double v;
    if (decimal_parse(text, &end, &v) < 0)
        return error_set(e, -EINVAL, "invalid size: '%s'", text);
    if (*end == ' ')
        end++;
    static const char units[] = "bkmgtp";
    unsigned power = 0;
    if (*end) {
        const char *unit = strchr(units, tolower((unsigned char)*end));
        const char *rest = end + 1;
        bool binary = unit && unit != units && strcasecmp(rest, "ib") == 0;
        bool byte = unit && unit != units && strcasecmp(rest, "b") == 0;
        if (!unit || (*rest && !binary && !byte))
            return error_set(e, -EINVAL, "invalid suffix: '%s'", end);
        power = (unsigned)(unit - units);
    }
    for (unsigned i = 0; i < power; i++)
        v *= 1024;
    if (v > (long double)INT64_MAX)
        return error_set(e, -ERANGE, "size '%s' is too large", text);
    *ret_bytes = (int64_t)v;
    return 0;
}

int nano_parse(const char *text, int64_t *ret, struct error *e) {
    const char *end;
    long double v;
    if (decimal_parse(text, &end, &v) < 0 || *end)
        return error_set(e, -EINVAL, "failed to parse %s as a rational number", text);
    v = v * 1000000000.0L;
    if (v > (long double)INT64_MAX)
        return error_set(e, -ERANGE, "value %s is too large", text);
    int64_t n = (int64_t)(v + 0.5L);
    long double off = v - (long double)n;
    if (off > 1e-3L || off < -1e-3L)
        return error_set(e, -EINVAL, "value is too precise: %s", text);
    *ret = n;
    return 0;
}

static void human(long double v, unsigned base, const char *const *units, size_t n, int digits, struct buf *out) {
    size_t i = 0;
    while (v >= base && i + 1 < n) {
        v /= base;
        i++;
    }
    buf_printf(out, "%.*Lg%s", digits, v, units[i]);
}

void size_human_digits(int64_t bytes, int digits, struct buf *out) {
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    human(bytes, 1000, units, ARRAY_SIZE(units), digits, out);
}

void size_human(int64_t bytes, struct buf *out) {
    size_human_digits(bytes, 4, out);
}

void size_human_binary(int64_t bytes, struct buf *out) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    human(bytes, 1024, units, ARRAY_SIZE(units), 4, out);
}
