#include "base/error.h"

#include <stdarg.h>
#include <string.h>

#include "base/buf.h"

static char *text_vprintf(const char *fmt, va_list ap) {
    char *text = NULL;

    return vasprintf(&text, fmt, ap) < 0 ? NULL : text;
}

static void error_replace(struct error *e, int code, char *text) {
    error_release(e);
    e->code = code;
    e->text = text;
}

/* In parentheses, here and below: for the analyzer these names are macros too (error.h). */
int(error_set)(struct error *e, int code, const char *fmt, ...) {
    va_list ap;

    if (!e)
        return code;
    va_start(ap, fmt);
    error_replace(e, code, text_vprintf(fmt, ap));
    va_end(ap);
    return code;
}

static int error_verrno(struct error *e, int code, const char *fmt, va_list ap) {
    _cleanup_free_ char *clause = text_vprintf(fmt, ap);
    char *text = NULL;

    if (clause && asprintf(&text, "%s: %s", clause, errno_text(code)) < 0)
        text = NULL;
    error_replace(e, code, text);
    return code;
}

int(error_errno)(struct error *e, int code, const char *fmt, ...) {
    va_list ap;

    if (!e)
        return code;
    va_start(ap, fmt);
    error_verrno(e, code, fmt, ap);
    va_end(ap);
    return code;
}

int(error_wrap)(struct error *e, int code, const char *fmt, ...) {
    va_list ap;

    if (!e)
        return code;
    va_start(ap, fmt);
    if (!e->text) {
        error_verrno(e, code, fmt, ap);
    } else {
        _cleanup_free_ char *clause = text_vprintf(fmt, ap);
        char *text = NULL;

        if (clause && asprintf(&text, "%s: %s", clause, e->text) >= 0) {
            free(e->text);
            e->text = text;
        }
    }
    va_end(ap);
    return code;
}

int(error_hint)(struct error *e, const char *fmt, ...) {
    va_list ap;

    if (!e)
        return -EIO;
    if (!e->hint) {
        va_start(ap, fmt);
        e->hint = text_vprintf(fmt, ap);
        va_end(ap);
    }
    return e->code;
}

int(error_status)(struct error *e, int status) {
    if (!e)
        return -EIO;
    e->status = status;
    return e->code;
}

char *error_sentence(const struct error *e) {
    const char *text = e->text ? e->text : errno_text(e->code);
    struct buf out = BUF_INIT;

    buf_add_visible(&out, text, strlen(text), "");
    if (e->hint) {
        buf_add_str(&out, " (");
        buf_add_visible(&out, e->hint, strlen(e->hint), "");
        buf_add_char(&out, ')');
    }
    if (out.failed)
        abort(); /* out of memory while saying what went wrong: nothing more can be said */
    buf_add_str(&out, "");
    return buf_steal(&out);
}

void error_move(struct error *to, struct error *from) {
    if (to) {
        error_release(to);
        *to = *from;
    } else {
        error_release(from);
    }
    *from = (struct error)ERROR_INIT;
}

void error_release(struct error *e) {
    if (!e)
        return;
    free(e->text);
    free(e->hint);
    *e = (struct error)ERROR_INIT;
}
