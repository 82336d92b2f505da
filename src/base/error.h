/* Errors are values. A function that can fail returns a negative errno and describes the failure in a `struct error`, to which
 * each level adds one clause on the way up:
 *
 *     cannot start web: mount overlay on /var/lib/…: No space left on device (the images take 12 GB: tare system df)
 *
 * Library code never prints and never exits; the front doors (cli, api) print the finished sentence.
 *
 * Every function here accepts e == NULL (the caller does not want the text) and returns the code it was given, so that
 * `return error_errno(e, -errno, "open %s", path);` is one line. */
#pragma once

#include "base/cleanup.h"

/* Docker's exit statuses for failures of the engine itself. */
enum exit_status {
    EXIT_ENGINE = 125,         /* the engine failed */
    EXIT_NOT_EXECUTABLE = 126, /* the command was found but cannot be executed */
    EXIT_NOT_FOUND = 127,      /* the command was not found */
};

struct error {
    int code;   /* negative errno of the first failure; 0 = no error */
    int status; /* exit status that a command should end with; 0 = the default (125, or 1 for most subcommands) */
    char *text; /* owned; NULL = no error */
    char *hint; /* owned; what to do about it, printed in parentheses; NULL = none */
};

#define ERROR_INIT                                                                                                                 \
    { 0 }
#define _cleanup_error_ _cleanup_(error_release)

/* Sets the text as given. An earlier text and hint are dropped. Returns `code`. */
int error_set(struct error *e, int code, const char *fmt, ...) _printf_(3, 4);
/* Sets the text followed by ": " and what errno `-code` means. */
int error_errno(struct error *e, int code, const char *fmt, ...) _printf_(3, 4);
/* Puts a clause in front: "fmt: earlier text". With no earlier text, acts as error_errno(). */
int error_wrap(struct error *e, int code, const char *fmt, ...) _printf_(3, 4);
/* Adds what to do about it, unless a deeper level already did. Returns e's code; without e -EIO: a failure must not become a
 * success. */
int error_hint(struct error *e, const char *fmt, ...) _printf_(2, 3);
/* Sets the exit status that the command should end with. Returns as error_hint(). */
int error_status(struct error *e, int status);
/* The finished sentence, of one line and without control characters: text, and the hint in parentheses. The caller owns it (free).
 * Never NULL. */
char *error_sentence(const struct error *e);
/* Moves `from` into `to` (dropping what was there) and leaves `from` empty. */
void error_move(struct error *to, struct error *from);
void error_release(struct error *e);

/* strerror() without locale or static buffer surprises; accepts negative or positive. */
const char *errno_text(int code);
const char *errno_name(int code); /* as "ENOENT" */

#ifdef __clang_analyzer__
/* What these functions return is never success: told here, since the analyzer sees one file at a time. */
static inline int error_is_negative(int code) {
    if (code >= 0)
        __builtin_unreachable();
    return code;
}
#define error_set(e, code, ...)   ((error_set)(e, code, __VA_ARGS__), error_is_negative(code))
#define error_errno(e, code, ...) ((error_errno)(e, code, __VA_ARGS__), error_is_negative(code))
#define error_wrap(e, code, ...)  ((error_wrap)(e, code, __VA_ARGS__), error_is_negative(code))
#define error_hint(e, ...)        error_is_negative((error_hint)(e, __VA_ARGS__))
#define error_status(e, status)   error_is_negative((error_status)(e, status))
#endif
