#include "base/log.h"

#include <stdarg.h>
#include <string.h>

#include "base/buf.h"

enum log_level log_level = LOG_LEVEL_WARN;

static const char *const level_names[] = {"error", "warn", "info", "debug"};

int log_level_parse(const char *text, enum log_level *ret) {
    for (size_t i = 0; i < ARRAY_SIZE(level_names); i++) {
        if (strcmp(text, level_names[i]) == 0) {
            *ret = (enum log_level)i;
            return 0;
        }
    }
    if (strcmp(text, "fatal") == 0) {
        *ret = LOG_LEVEL_ERROR;
        return 0;
    }
    return -EINVAL;
}

void log_write(enum log_level level, const char *fmt, ...) {
    char line[2048];
    int saved = errno, n = snprintf(line, sizeof(line), "tare: %s: ", level_names[level]);
    va_list ap;

    va_start(ap, fmt);
    n += vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);
    va_end(ap);
    n = MIN_OF(n, (int)sizeof(line) - 2);
    line[n++] = '\n';
    /* One write, so that lines of several processes do not mix. Nothing can be done when standard error is gone. */
    if (write(STDERR_FILENO, line, (size_t)n) < 0) {
    }
    errno = saved;
}
