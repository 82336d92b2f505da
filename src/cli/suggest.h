/* "Did you mean": the nearest known word by edit distance. */
#pragma once

#include "cli/command.h"

/* The long option nearest to name (n bytes), or NULL when none is near. */
const char *suggest_option(const struct option *table, const char *name, size_t n);
/* The command (its first word) nearest to name, or NULL. */
const char *suggest_command(const char *name);
/* Edit distance (insert, delete, replace, swap of neighbours); words longer than 63 bytes are never near. */
unsigned edit_distance(const char *a, size_t an, const char *b, size_t bn);
