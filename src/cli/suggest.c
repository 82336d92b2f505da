#include "cli/suggest.h"

#include <string.h>

#define WORD_MAX 63
#define NEAR_MAX 2 /* edits */

unsigned edit_distance(const char *a, size_t an, const char *b, size_t bn) {
    if (an > WORD_MAX || bn > WORD_MAX)
        return WORD_MAX;
    unsigned rows[3][WORD_MAX + 1];
    unsigned *before = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= bn; j++)
        last[j] = (unsigned)j;
    for (size_t i = 1; i <= an; i++) {
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= bn; j++) {
            unsigned cost = last[j - 1] + (a[i - 1] != b[j - 1]);
            cost = MIN_OF(cost, last[j] + 1);
            cost = MIN_OF(cost, row[j - 1] + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                cost = MIN_OF(cost, before[j - 2] + 1);
            row[j] = cost;
        }
        unsigned *spare = before;
        before = last;
        last = row;
        row = spare;
    }
    return last[bn];
}

struct search {
    const char *name;
    size_t n;
    unsigned best;
    const char *found;
};

static void consider(struct search *s, const char *word) {
    unsigned d = edit_distance(s->name, s->n, word, strlen(word));
    if (d < s->best && d < s->n) {
        s->best = d;
        s->found = word;
    }
}

static int consider_option(const struct option *o, size_t offset _unused_, void *arg) {
    if (!(o->flags & (OPTION_HIDDEN | OPTION_DEPRECATED)))
        consider(arg, o->name);
    return 0;
}

const char *suggest_option(const struct option *table, const char *name, size_t n) {
    struct search s = {.name = name, .n = n, .best = NEAR_MAX + 1};
    (void)options_each(table, consider_option, &s);
    return s.found;
}

const char *suggest_command(const char *name) {
    struct search s = {.name = name, .n = strlen(name), .best = NEAR_MAX + 1};
    for (size_t i = 0; commands[i]; i++)
        for (size_t j = 0; j < COMMAND_NAMES_MAX && commands[i]->names[j]; j++)
            if (!strchr(commands[i]->names[j], ' '))
                consider(&s, commands[i]->names[j]);
    return s.found;
}
