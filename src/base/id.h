/* Identifiers and names. Paths are only ever built from what passed these checks. */
#pragma once

#include "base/error.h"

#define ID_LENGTH       64 /* hexadecimal digits of a full id, as Docker's */
#define ID_SHORT_LENGTH 12 /* of the form that is shown */
#define NAME_MAX_LENGTH 128

/* A new random id: 64 hexadecimal digits and a NUL. Its first 12 are never all decimal, so that it is not taken for a number
 * where it serves as host name. */
int id_new(char id[ID_LENGTH + 1]);
bool id_is_full(const char *s);   /* exactly 64 lower-case hexadecimal digits */
bool id_is_prefix(const char *s); /* 1 to 64 of them */
/* Docker's grammar for names: [a-zA-Z0-9][a-zA-Z0-9_.-]*, at most 128. `what` is the noun for the message ("container name"). */
int name_check(const char *what, const char *name, struct error *e);

void hex_encode(const void *p, size_t n, char *text); /* 2n digits and a NUL */
