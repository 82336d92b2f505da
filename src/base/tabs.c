#include "base/tabs.h"

#include <string.h>

#include "base/arena.h"

#define TAB_PADDING 3

size_t tabs_width(const char *text, size_t n) {
    size_t width = 0;

    for (size_t i = 0; i < n; i++)
        width += (text[i] & 0xc0) != 0x80;
    return width;
}

struct cell {
    const char *text;
    size_t length, width;
    bool last; /* ends its line: belongs to no column */
};

struct line {
    size_t first, count; /* into the cells */
};

static void split_cells(struct arena *a, const char *text, struct list *cells, struct list *lines) {
    while (*text) {
        size_t length = strcspn(text, "\n");
        const char *end = text + length;
        struct line *line = LIST_ADD(a, struct line, lines);

        line->first = cells->n;
        for (const char *p = text;;) {
            struct cell *c = LIST_ADD(a, struct cell, cells);
            const char *tab = memchr(p, '\t', (size_t)(end - p));

            c->text = p;
            c->length = (size_t)((tab ? tab : end) - p);
            c->width = tabs_width(p, c->length);
            c->last = !tab;
            line->count++;
            if (!tab)
                break;
            p = tab + 1;
        }
        text = *end ? end + 1 : end;
    }
}

/* The width of column `j` around line `i`: of all neighbouring lines that have a cell ended by a tab there. */
static size_t column_width(const struct list *cells, const struct list *lines, size_t i, size_t j, size_t least) {
    size_t width = least, from = i;

#define HAS(k) (LIST_AT(struct line, lines, (k))->count > j + 1)
    while (from > 0 && HAS(from - 1))
        from--;
    for (size_t k = from; k < lines->n && HAS(k); k++) {
        const struct cell *c = LIST_AT(struct cell, cells, LIST_AT(struct line, lines, k)->first + j);

        width = MAX_OF(width, c->width + TAB_PADDING);
    }
#undef HAS
    return width;
}

void tabs_align(const char *text, size_t width_min, struct buf *out) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct list cells = {0}, lines = {0};
    size_t *widths, columns = 0;

    split_cells(&a, text, &cells, &lines);
    for (size_t i = 0; i < lines.n; i++)
        columns = MAX_OF(columns, LIST_AT(struct line, &lines, i)->count);
    widths = arena_array(&a, size_t, columns + 1);
    for (size_t i = 0; i < lines.n; i++) {
        const struct line *line = LIST_AT(struct line, &lines, i);

        for (size_t j = 0; j < line->count; j++) {
            const struct cell *c = LIST_AT(struct cell, &cells, line->first + j);

            buf_add(out, c->text, c->length);
            if (c->last)
                break;
            /* A column's width changes only where its block of lines begins: the line above then has no such cell. */
            if (!i || LIST_AT(struct line, &lines, i - 1)->count <= j + 1)
                widths[j] = column_width(&cells, &lines, i, j, width_min);
            buf_printf(out, "%*s", (int)(widths[j] - c->width), "");
        }
        buf_add_char(out, '\n');
    }
}
