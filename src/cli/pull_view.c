#include "cli/pull_view.h"

#include <string.h>
#include <sys/ioctl.h>

#include "model/reference.h"
#include "model/units.h"

#define BAR_WIDTH_MAX   50
#define BAR_WIDTH_MIN   10
#define BESIDE_BAR      45 /* "4bc7a61f7ed0: Downloading []  999.9MB/999.9MB" */
#define SHORT_ID        12
#define COLUMNS_ASSUMED 80
#define ROWS_ASSUMED    24

struct pull_view_layer {
    const char *digest;
    enum image_phase phase;
};

static const char *const phase_words[] = {
    [IMAGE_PHASE_WAITING] = "Waiting",        [IMAGE_PHASE_DOWNLOADING] = "Downloading", [IMAGE_PHASE_EXTRACTING] = "Extracting",
    [IMAGE_PHASE_COMPLETE] = "Pull complete", [IMAGE_PHASE_EXISTS] = "Already exists",
};

void pull_view_bar(uint64_t done, uint64_t total, unsigned width, struct buf *out) {
    unsigned filled = total ? (unsigned)((double)MIN_OF(done, total) / (double)total * width) : 0;

    if (width) {
        buf_add_char(out, '[');
        for (unsigned i = 0; i < width; i++)
            buf_add_char(out, i < filled ? '=' : i == filled ? '>' : ' ');
        buf_add_str(out, "]  ");
    }
    size_human((int64_t)done, out);
    buf_add_char(out, '/');
    size_human((int64_t)total, out);
}

static struct pull_view_layer *layer_find(struct pull_view *v, const char *digest, size_t *ret_index) {
    struct pull_view_layer *layer;

    for (size_t i = 0; i < v->layers.n; i++) {
        layer = LIST_AT(struct pull_view_layer, &v->layers, i);
        if (!strcmp(layer->digest, digest)) {
            *ret_index = i;
            return layer;
        }
    }
    *ret_index = v->layers.n;
    layer = LIST_ADD(&v->arena, struct pull_view_layer, &v->layers);
    layer->digest = arena_strdup(&v->arena, digest);
    layer->phase = IMAGE_PHASE_WAITING;
    if (v->terminal)
        fputc('\n', v->out);
    return layer;
}

static unsigned bar_width(const struct pull_view *v) {
    unsigned room = v->columns > BESIDE_BAR ? v->columns - BESIDE_BAR - 1 : 0;

    return room < BAR_WIDTH_MIN ? 0 : MIN_OF(room, (unsigned)BAR_WIDTH_MAX);
}

/* The cursor rests below the last layer's line. A line that has left the screen cannot be reached any more: the cursor would stop
 * at the first row and overwrite another's. */
static void draw(struct pull_view *v, size_t index, const char *text) {
    unsigned up = (unsigned)(v->layers.n - index);

    if (up >= v->rows)
        return;
    fprintf(v->out, "\033[%uA\r\033[2K%.*s\033[%uB\r", up, (int)v->columns - 1, text, up);
    fflush(v->out);
}

static void on_layer(void *arg, const char *digest, enum image_phase phase, uint64_t done, uint64_t total) {
    struct pull_view *v = arg;
    _cleanup_buf_ struct buf line = BUF_INIT;
    struct pull_view_layer *layer;
    bool changed;
    size_t index;

    if (v->quiet)
        return;
    layer = layer_find(v, digest, &index);
    changed = layer->phase != phase;
    layer->phase = phase;
    buf_printf(&line, "%.*s: %s", SHORT_ID, digest_hex(digest), phase_words[phase]);
    if (v->terminal) {
        if (phase == IMAGE_PHASE_DOWNLOADING) {
            buf_add_char(&line, ' ');
            pull_view_bar(done, total, bar_width(v), &line);
        }
        draw(v, index, buf_text(&line));
    } else if (changed && (phase == IMAGE_PHASE_COMPLETE || phase == IMAGE_PHASE_EXISTS)) {
        fprintf(v->out, "%s\n", buf_text(&line));
        fflush(v->out);
    }
}

static void on_line(void *arg, const char *text) {
    struct pull_view *v = arg;

    if (v->quiet)
        return;
    v->layers = (struct list){0}; /* what follows is drawn below this line */
    fprintf(v->out, "%s\n", text);
    fflush(v->out);
}

void pull_view_init(struct pull_view *v, FILE *out, bool quiet) {
    struct winsize size;
    const char *term = getenv("TERM");

    *v = (struct pull_view){.out = out, .quiet = quiet, .columns = COLUMNS_ASSUMED, .rows = ROWS_ASSUMED};
    v->terminal = isatty(fileno(out)) && (!term || strcmp(term, "dumb") != 0);
    if (ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 20 && size.ws_row > 1) {
        v->columns = size.ws_col;
        v->rows = size.ws_row;
    }
    v->progress = (struct image_progress){.layer = on_layer, .arg = v};
    v->observer = (struct pull_observer){.line = on_line, .progress = &v->progress, .arg = v};
}

void pull_view_end(struct pull_view *v) {
    fflush(v->out);
    arena_release(&v->arena);
}
