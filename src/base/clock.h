/* Time: monotonic for every wait and measurement, wall-clock only to be shown or stored. */
#pragma once

#include <stdbool.h>
#include <time.h>

#include "base/buf.h"

#define NS_PER_SEC 1000000000LL

int64_t clock_monotonic_ns(void);
int64_t clock_boottime_ns(void);
struct timespec clock_wall(void);
/* Whether a time of the wall clock (a file's) lies less than ns from now, before or after. What lies further ahead was written
 * before somebody set the clock back, so it is no moment ago either. */
bool clock_is_recent(struct timespec t, int64_t ns);

#define TIME_TEXT_MAX 40
/* RFC 3339 with nanoseconds in UTC ("2026-11-24T15:23:21.123456789Z"), as Docker's documents carry. Trailing zeros are dropped. */
void time_format(struct timespec t, char text[TIME_TEXT_MAX]);
/* Parses RFC 3339 with any offset. -EINVAL. */
int time_parse(const char *text, struct timespec *ret);
/* Parses a Go duration ("1h2m3.5s", "100ms", "-5s", "0"); nanoseconds. -EINVAL, -ERANGE. */
int duration_parse(const char *text, int64_t *ret_ns);
/* Writes a Go duration ("1h0m0s", "1.5s", "100ms", "0s"). */
void duration_format(int64_t ns, struct buf *out);
/* Docker's words for an age: "Less than a second", "5 minutes", "About an hour", "2 weeks"… */
void duration_human(int64_t seconds, struct buf *out);
