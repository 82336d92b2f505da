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
    _cleanup_buf_ struct buf line = BUF_INIT;
    char text[2048];
    int saved = errno;
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    buf_printf(&line, "tare: %s: ", level_names[level]);
    buf_add_visible(&line, text, strlen(text), "");
    buf_add_char(&line, '\n');
    /* One write, so that lines of several processes do not mix. Nothing can be done when standard error is gone. */
    if (write(STDERR_FILENO, line.data, line.size) < 0) {
    }
    errno = saved;
}
