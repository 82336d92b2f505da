/* What the distribution's static libraries call when they are linked to musl.
 *
 * They are compiled for glibc with -D_FORTIFY_SOURCE, which turns printf() and the like into calls of checking forms. musl has all
 * that they call but these. Their interface is the Linux Standard Base's (LSB core 5.0, "Interfaces for libc"): FLAG asks for
 * checks of the format, SIZE is what the compiler knows of the destination's; SIZE_MAX if nothing. What does not fit ends the
 * program, as there. */
#include <features.h>
#include <limits.h>

#if !defined __GLIBC__
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

int __fprintf_chk(FILE *file, int flag, const char *format, ...);
int __snprintf_chk(char *out, size_t n, int flag, size_t size, const char *format, ...);
int __sprintf_chk(char *out, int flag, size_t size, const char *format, ...);
char *__strcat_chk(char *out, const char *text, size_t size);
int __vasprintf_chk(char **out, int flag, const char *format, va_list arguments);
int __vfprintf_chk(FILE *file, int flag, const char *format, va_list arguments);
int __vsnprintf_chk(char *out, size_t n, int flag, size_t size, const char *format, va_list arguments);
void __vsyslog_chk(int priority, int flag, const char *format, va_list arguments);

int __vasprintf_chk(char **out, int flag, const char *format, va_list arguments) {
    return vasprintf(out, format, arguments);
}

int __vfprintf_chk(FILE *file, int flag, const char *format, va_list arguments) {
    return vfprintf(file, format, arguments);
}

int __fprintf_chk(FILE *file, int flag, const char *format, ...) {
    va_list arguments;
    int n;

    va_start(arguments, format);
    n = vfprintf(file, format, arguments);
    va_end(arguments);
    return n;
}

int __vsnprintf_chk(char *out, size_t n, int flag, size_t size, const char *format, va_list arguments) {
    if (n > size)
        abort();
    return vsnprintf(out, n, format, arguments);
}

int __snprintf_chk(char *out, size_t n, int flag, size_t size, const char *format, ...) {
    va_list arguments;
    int r;

    va_start(arguments, format);
    r = __vsnprintf_chk(out, n, flag, size, format, arguments);
    va_end(arguments);
    return r;
}

int __sprintf_chk(char *out, int flag, size_t size, const char *format, ...) {
    size_t room = size <= INT_MAX ? size : INT_MAX; /* of what vsnprintf() can count */
    va_list arguments;
    int n;

    va_start(arguments, format);
    n = vsnprintf(out, room, format, arguments);
    va_end(arguments);
    if (n >= 0 && (size_t)n >= room)
        abort();
    return n;
}

char *__strcat_chk(char *out, const char *text, size_t size) {
    size_t at = strlen(out), n = strlen(text) + 1;

    if (n > size || at > size - n)
        abort();
    (void)memcpy(out + at, text, n);
    return out;
}

void __vsyslog_chk(int priority, int flag, const char *format, va_list arguments) {
    vsyslog(priority, format, arguments);
}
#endif
