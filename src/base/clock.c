#include "base/clock.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int64_t clock_ns(clockid_t id) {
    struct timespec t;

    if (clock_gettime(id, &t) < 0)
        return 0;
    return t.tv_sec * NS_PER_SEC + t.tv_nsec;
}

int64_t clock_monotonic_ns(void) {
    return clock_ns(CLOCK_MONOTONIC);
}

int64_t clock_boottime_ns(void) {
    return clock_ns(CLOCK_BOOTTIME);
}

struct timespec clock_wall(void) {
    struct timespec t = {0};

    (void)clock_gettime(CLOCK_REALTIME, &t);
    return t;
}

bool clock_is_recent(struct timespec t, int64_t ns) {
    struct timespec now = clock_wall();
    int64_t seconds = now.tv_sec - t.tv_sec; /* in whole seconds first: what a file system gives as a time need not fit */

    if (seconds > ns / NS_PER_SEC + 1 || seconds < -(ns / NS_PER_SEC) - 1)
        return false;
    ns -= llabs(seconds * NS_PER_SEC + now.tv_nsec - t.tv_nsec);
    return ns > 0;
}

#define SECONDS_A_DAY           86400
#define DAYS_400_YEARS          146097
#define DAYS_0000_03_01_TO_1970 719468

/* The Gregorian date of a day counted from 1970-01-01. By hand, since glibc's gmtime_r() reads /etc/localtime first: the monitor
 * stamps a state before it may answer. Years begin in March here, so that the leap day comes last. */
static void civil_date(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day) {
    int64_t since = days + DAYS_0000_03_01_TO_1970;
    int64_t era = (since >= 0 ? since : since - (DAYS_400_YEARS - 1)) / DAYS_400_YEARS;
    int64_t day = since - era * DAYS_400_YEARS; /* of the 400 years */
    int64_t year = (day - day / 1460 + day / 36524 - day / (DAYS_400_YEARS - 1)) / 365;
    int64_t day_of_year = day - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * day_of_year + 2) / 153; /* 0 = March */

    *ret_day = (int)(day_of_year - (153 * month + 2) / 5 + 1);
    *ret_month = (int)(month < 10 ? month + 3 : month - 9);
    *ret_year = year + era * 400 + (month >= 10);
}

/* The other way; years from 0 on. timegm() would read that file, too. */
static int64_t civil_day(int64_t year, int month, int day) {
    int64_t since = year + 400 - (month <= 2); /* so that no year is negative */
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return 365 * since + since / 4 - since / 100 + since / 400 + day_of_year - DAYS_400_YEARS - DAYS_0000_03_01_TO_1970;
}

void time_format(struct timespec t, char text[TIME_TEXT_MAX]) {
    int64_t days = t.tv_sec / SECONDS_A_DAY, second = t.tv_sec % SECONDS_A_DAY, year;
    int month, day;
    size_t n;

    if (second < 0) {
        second += SECONDS_A_DAY;
        days--;
    }
    civil_date(days, &year, &month, &day);
    if (year < 0 || year > 9999) {
        (void)snprintf(text, TIME_TEXT_MAX, "0001-01-01T00:00:00Z");
        return;
    }
    n = (size_t)snprintf(text, TIME_TEXT_MAX, "%04d-%02d-%02dT%02d:%02d:%02d", (int)year, month, day, (int)(second / 3600),
                         (int)(second / 60 % 60), (int)(second % 60));
    if (t.tv_nsec) {
        n += (size_t)snprintf(text + n, TIME_TEXT_MAX - n, ".%09ld", t.tv_nsec);
        while (text[n - 1] == '0')
            n--;
    }
    (void)snprintf(text + n, TIME_TEXT_MAX - n, "Z");
}

/* Reads exactly `digits` digits. */
static bool take_number(const char **s, int digits, int *ret) {
    int v = 0;

    for (int i = 0; i < digits; i++, (*s)++) {
        if (!isdigit((unsigned char)**s))
            return false;
        v = v * 10 + (**s - '0');
    }
    *ret = v;
    return true;
}

static bool take_char(const char **s, char c) {
    if (**s != c)
        return false;
    (*s)++;
    return true;
}

static long take_fraction(const char **s) {
    long ns = 0, unit = NS_PER_SEC / 10;

    for (; isdigit((unsigned char)**s); (*s)++, unit /= 10)
        ns += (**s - '0') * unit;
    return ns;
}

int time_parse(const char *s, struct timespec *ret) {
    struct tm tm = {0};
    int hours = 0, minutes = 0, sign = 0;
    long ns = 0;
    int64_t seconds;

    if (!take_number(&s, 4, &tm.tm_year) || !take_char(&s, '-') || !take_number(&s, 2, &tm.tm_mon) || !take_char(&s, '-') ||
        !take_number(&s, 2, &tm.tm_mday) || (!take_char(&s, 'T') && !take_char(&s, 't') && !take_char(&s, ' ')) ||
        !take_number(&s, 2, &tm.tm_hour) || !take_char(&s, ':') || !take_number(&s, 2, &tm.tm_min) || !take_char(&s, ':') ||
        !take_number(&s, 2, &tm.tm_sec))
        return -EINVAL;
    if (take_char(&s, '.'))
        ns = take_fraction(&s);
    if (!take_char(&s, 'Z') && !take_char(&s, 'z')) {
        sign = *s == '-' ? 1 : -1;
        if ((!take_char(&s, '+') && !take_char(&s, '-')) || !take_number(&s, 2, &hours) || !take_char(&s, ':') ||
            !take_number(&s, 2, &minutes))
            return -EINVAL;
    }
    if (*s || tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 || tm.tm_min > 59 ||
        tm.tm_sec > 60 || hours > 23 || minutes > 59)
        return -EINVAL;
    seconds = civil_day(tm.tm_year, tm.tm_mon, tm.tm_mday) * SECONDS_A_DAY + tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec;
    *ret = (struct timespec){seconds + (time_t)sign * (hours * 3600 + minutes * 60), ns};
    return 0;
}

static const struct {
    const char *name;
    int64_t ns;
} duration_units[] = {
    {"ns", 1},           {"us", 1000},      {"\xc2\xb5s", 1000}, /* µs, micro sign */
    {"\xce\xbcs", 1000},                                         /* μs, Greek mu */
    {"ms", 1000000},     {"s", NS_PER_SEC}, {"m", 60 * NS_PER_SEC}, {"h", 3600 * NS_PER_SEC},
};

/* The longest unit that s starts with, so that "ms" is not taken for "m". */
static int64_t take_unit(const char **s) {
    size_t best = 0;
    int64_t ns = 0;

    for (size_t i = 0; i < ARRAY_SIZE(duration_units); i++) {
        size_t n = strlen(duration_units[i].name);

        if (n > best && strncmp(*s, duration_units[i].name, n) == 0) {
            best = n;
            ns = duration_units[i].ns;
        }
    }
    *s += best;
    return ns;
}

int duration_parse(const char *s, int64_t *ret_ns) {
    bool negative = *s == '-';
    int64_t total = 0;

    if (*s == '-' || *s == '+')
        s++;
    if (strcmp(s, "0") == 0) {
        *ret_ns = 0;
        return 0;
    }
    if (!*s)
        return -EINVAL;
    while (*s) {
        int64_t whole = 0, unit, part;
        long fraction = 0;
        const char *start = s;

        for (; isdigit((unsigned char)*s); s++)
            if (__builtin_mul_overflow(whole, 10, &whole) || __builtin_add_overflow(whole, *s - '0', &whole))
                return -ERANGE;
        if (*s == '.') {
            s++;
            fraction = take_fraction(&s);
            if (s - start == 1)
                return -EINVAL;
        } else if (s == start) {
            return -EINVAL;
        }
        unit = take_unit(&s);
        if (unit == 0)
            return -EINVAL;
        if (__builtin_mul_overflow(whole, unit, &part) || __builtin_add_overflow(total, part, &total) ||
            __builtin_add_overflow(total, (int64_t)((double)fraction * (double)unit / NS_PER_SEC), &total))
            return -ERANGE;
    }
    *ret_ns = negative ? -total : total;
    return 0;
}

/* value / unit with its fraction, no trailing zeros: 1500000000 / s = "1.5". */
static void write_decimal(uint64_t value, uint64_t unit, struct buf *out) {
    uint64_t rest = value % unit;

    buf_printf(out, "%" PRIu64, value / unit);
    if (!rest)
        return;
    buf_add_char(out, '.');
    for (unit /= 10; rest; unit /= 10) {
        buf_add_char(out, (char)('0' + rest / unit));
        rest %= unit;
    }
}

void duration_format(int64_t ns, struct buf *out) {
    uint64_t v = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    const uint64_t second = NS_PER_SEC;

    if (ns < 0)
        buf_add_char(out, '-');
    if (v == 0) {
        buf_add_str(out, "0s");
    } else if (v < 1000) {
        buf_printf(out, "%" PRIu64 "ns", v);
    } else if (v < 1000000) {
        write_decimal(v, 1000, out);
        buf_add_str(out, "\xc2\xb5s");
    } else if (v < second) {
        write_decimal(v, 1000000, out);
        buf_add_str(out, "ms");
    } else {
        if (v >= 3600 * second)
            buf_printf(out, "%" PRIu64 "h", v / (3600 * second));
        if (v >= 60 * second)
            buf_printf(out, "%" PRIu64 "m", v / (60 * second) % 60);
        write_decimal(v % (60 * second), second, out);
        buf_add_char(out, 's');
    }
}

void duration_human(int64_t s, struct buf *out) {
    const int64_t minute = 60, hour = 3600, day = 24 * 3600;
    int64_t hours = (s + hour / 2) / hour;

    if (s < 1)
        buf_add_str(out, "Less than a second");
    else if (s == 1)
        buf_add_str(out, "1 second");
    else if (s < minute)
        buf_printf(out, "%" PRId64 " seconds", s);
    else if (s < 2 * minute)
        buf_add_str(out, "About a minute");
    else if (s < hour)
        buf_printf(out, "%" PRId64 " minutes", s / minute);
    else if (hours == 1)
        buf_add_str(out, "About an hour");
    else if (hours < 48)
        buf_printf(out, "%" PRId64 " hours", hours);
    else if (hours < 24 * 14)
        buf_printf(out, "%" PRId64 " days", s / day);
    else if (hours < 24 * 60)
        buf_printf(out, "%" PRId64 " weeks", s / day / 7);
    else if (hours < 24 * 365 * 2)
        buf_printf(out, "%" PRId64 " months", s / day / 30);
    else
        buf_printf(out, "%" PRId64 " years", s / day / 365);
}
