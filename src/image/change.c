#include "image/change.h"

#include <ctype.h>
#include <string.h>

#include "base/clock.h"
#include "model/signal_name.h"
#include "model/units.h"

/* --- words ------------------------------------------------------------------------------------------------------------------- */

/* The next word: quotes ('…', "…") and backslashes as in a Dockerfile. Returns where it ended; *ret NULL at the end of the line. */
static const char *next_word(const char *s, struct arena *a, const char **ret, struct error *e) {
    char *out = arena_alloc(a, strlen(s) + 1), *at = out;
    char quote = '\0';

    *ret = NULL;
    while (isspace((unsigned char)*s))
        s++;
    if (!*s)
        return s;
    for (; *s && (quote || !isspace((unsigned char)*s)); s++) {
        if (quote == '\0' && (*s == '"' || *s == '\''))
            quote = *s;
        else if (quote && *s == quote)
            quote = '\0';
        else if (*s == '\\' && quote != '\'' && s[1])
            *at++ = *++s;
        else
            *at++ = *s;
    }
    if (quote) {
        (void)error_set(e, -EINVAL, "a quotation mark is not closed");
        return NULL;
    }
    *ret = out;
    return s;
}

static int split_words(const char *text, struct arena *a, struct strs *ret, struct error *e) {
    const char *word;

    *ret = (struct strs){NULL, 0};
    for (const char *s = text;;) {
        s = next_word(s, a, &word, e);
        if (!s)
            return -EINVAL;
        if (!word)
            return ret->n ? 0 : error_set(e, -EINVAL, "it wants at least one argument");
        strs_add(a, ret, word);
    }
}

struct json_words {
    struct strs v;
};
static const struct json_field words_fields[] = {JSON_FIELD(struct json_words, v, "v", JSON_STRS, JSON_REQUIRED), JSON_END};
static const struct json_table words_table = JSON_TABLE("list", struct json_words, words_fields);

/* `["a", "b"]` as a list; false when the text is no such list, which then is for a shell. */
static bool json_words(const char *text, struct arena *a, struct strs *ret) {
    const char *wrapped = arena_printf(a, "{\"v\":%s}", text);
    struct json_words w;

    if (text[0] != '[' || json_decode(&words_table, wrapped, strlen(wrapped), a, &w, NULL) < 0)
        return false;
    *ret = w.v;
    return true;
}

static void exec_or_shell(const struct image_defaults *c, const char *text, struct arena *a, struct strs *ret) {
    if (json_words(text, a, ret))
        return;
    *ret = (struct strs){NULL, 0};
    for (size_t i = 0; i < c->shell.n; i++)
        strs_add(a, ret, c->shell.v[i]);
    if (c->shell.n == 0) {
        strs_add(a, ret, "/bin/sh");
        strs_add(a, ret, "-c");
    }
    strs_add(a, ret, arena_strdup(a, text));
}

/* --- instructions --------------------------------------------------------------------------------------------------------------
 */

static void set_env(struct strs *env, const char *name, const char *value, struct arena *a) {
    const char *entry = arena_printf(a, "%s=%s", name, value);
    size_t n = strlen(name);

    for (size_t i = 0; i < env->n; i++)
        if (strncmp(env->v[i], name, n) == 0 && env->v[i][n] == '=') {
            env->v[i] = entry;
            return;
        }
    strs_add(a, env, entry);
}

/* `A=b C=d`, or the older `A b c` (one name, the rest is its value). */
static int pairs(const char *text, struct arena *a, struct map *ret, struct error *e) {
    struct strs words;
    int r = split_words(text, a, &words, e);

    if (r < 0)
        return r;
    if (!strchr(words.v[0], '=')) {
        const char *value = text + strcspn(text, " \t");

        if (words.n < 2)
            return error_set(e, -EINVAL, "%s has no value", words.v[0]);
        map_set(a, ret, words.v[0], arena_strdup(a, value + strspn(value, " \t")));
        return 0;
    }
    for (size_t i = 0; i < words.n; i++) {
        const char *equals = strchr(words.v[i], '=');

        if (!equals || equals == words.v[i])
            return error_set(e, -EINVAL, "\"%s\" is not NAME=VALUE", words.v[i]);
        map_set(a, ret, arena_strndup(a, words.v[i], (size_t)(equals - words.v[i])), equals + 1);
    }
    return 0;
}

static int change_cmd(struct image_defaults *c, const char *text, struct arena *a, struct error *e) {
    exec_or_shell(c, text, a, &c->cmd);
    return 0;
}

static int change_entrypoint(struct image_defaults *c, const char *text, struct arena *a, struct error *e) {
    exec_or_shell(c, text, a, &c->entrypoint);
    return 0;
}

static int change_env(struct image_defaults *c, const char *text, struct arena *a, struct error *e) {
    struct map m = {NULL, 0};
    int r = pairs(text, a, &m, e);

    for (size_t i = 0; r == 0 && i < m.n; i++)
        set_env(&c->env, m.v[i].key, m.v[i].value, a);
    return r;
}

static int change_label(struct image_defaults *c, const char *text, struct arena *a, struct error *e) {
    struct map m = {NULL, 0};
    int r = pairs(text, a, &m, e);

    for (size_t i = 0; r == 0 && i < m.n; i++)
        map_set(a, &c->labels, m.v[i].key, m.v[i].value);
    return r;
}

static int change_expose(struct image_defaults *c, const char *text, struct arena *a, struct error *e) {
    struct strs words;
    int r = split_words(text, a, &words, e);

    for (size_t i = 0; r == 0 && i < words.n; i++) {
        const char *port = words.v[i], *end = port + strspn(port, "0123456789");
        int64_t number;

        if (int_parse(arena_strndup(a, port, (size_t)(end - port)), 1, 65535, &number) < 0 ||
            (*end && strcmp(end, "/tcp") != 0 && strcmp(end, "/udp") != 0 && strcmp(end, "/sctp") != 0))
            return error_set(e, -EINVAL, "invalid port: %s", port);
        if (!*end)
            port = arena_printf(a, "%s/tcp", port);
        if (!strs_has(&c->exposed_ports, port))
            strs_add(a, &c->exposed_ports, port);
    }
    return r;
}

static int change_volume(struct image_defaults *c, const char *text, struct arena *a, struct error *e) {
    struct strs words;
    int r = json_words(text, a, &words) ? 0 : split_words(text, a, &words, e);

    for (size_t i = 0; r == 0 && i < words.n; i++)
        if (!strs_has(&c->volumes, words.v[i]))
            strs_add(a, &c->volumes, words.v[i]);
    return r;
}

static int change_user(struct image_defaults *c, const char *text, struct arena *a, struct error *e) {
    c->user = arena_strdup(a, text);
    return 0;
}

static int change_workdir(struct image_defaults *c, const char *text, struct arena *a, struct error *e) {
    const char *before = c->working_dir && c->working_dir[0] ? c->working_dir : "/";

    c->working_dir = text[0] == '/' ? arena_strdup(a, text)
                                    : arena_printf(a, "%s%s%s", before, before[strlen(before) - 1] == '/' ? "" : "/", text);
    return 0;
}

static int change_stop_signal(struct image_defaults *c, const char *text, struct arena *a, struct error *e) {
    if (!signal_parse(text))
        return error_set(e, -EINVAL, "invalid signal: %s", text);
    c->stop_signal = arena_strdup(a, text);
    return 0;
}

static int change_on_build(struct image_defaults *c, const char *text, struct arena *a, struct error *e) {
    strs_add(a, &c->on_build, arena_strdup(a, text));
    return 0;
}

static int change_shell(struct image_defaults *c, const char *text, struct arena *a, struct error *e) {
    if (!json_words(text, a, &c->shell) || c->shell.n == 0)
        return error_set(e, -EINVAL, "it wants a JSON list, as [\"/bin/bash\", \"-c\"]");
    return 0;
}

static int health_option(struct image_healthcheck *h, const char *word, struct error *e) {
    const struct {
        const char *name;
        int64_t *value;
    } durations[] = {{"--interval=", &h->interval},
                     {"--timeout=", &h->timeout},
                     {"--start-period=", &h->start_period},
                     {"--start-interval=", &h->start_interval}};
    int64_t retries;

    for (size_t i = 0; i < ARRAY_SIZE(durations); i++)
        if (strncmp(word, durations[i].name, strlen(durations[i].name)) == 0) {
            if (duration_parse(word + strlen(durations[i].name), durations[i].value) < 0 || *durations[i].value < 0)
                return error_set(e, -EINVAL, "%s: not a duration", word);
            return 0;
        }
    if (strncmp(word, "--retries=", 10) == 0 && int_parse(word + 10, 0, INT32_MAX, &retries) == 0) {
        h->retries = (int32_t)retries;
        return 0;
    }
    return error_set(e, -EINVAL, "unknown option %s", word);
}

static int change_healthcheck(struct image_defaults *c, const char *text, struct arena *a, struct error *e) {
    struct image_healthcheck *h = arena_new(a, struct image_healthcheck);

    while (strncmp(text, "--", 2) == 0) {
        size_t n = strcspn(text, " \t");
        int r = health_option(h, arena_strndup(a, text, n), e);

        if (r < 0)
            return r;
        text += n + strspn(text + n, " \t");
    }
    if (strcasecmp(text, "NONE") == 0) {
        strs_add(a, &h->test, "NONE");
    } else if (strncasecmp(text, "CMD", 3) == 0 && isspace((unsigned char)text[3])) {
        struct strs words;

        text += 3 + strspn(text + 3, " \t");
        if (json_words(text, a, &words)) {
            strs_add(a, &h->test, "CMD");
            for (size_t i = 0; i < words.n; i++)
                strs_add(a, &h->test, words.v[i]);
        } else {
            strs_add(a, &h->test, "CMD-SHELL");
            strs_add(a, &h->test, arena_strdup(a, text));
        }
    } else {
        return error_set(e, -EINVAL, "expected NONE or CMD …");
    }
    c->healthcheck = h;
    return 0;
}

static const struct {
    const char *name;
    int (*apply)(struct image_defaults *c, const char *text, struct arena *a, struct error *e);
} instructions[] = {
    {"CMD", change_cmd},
    {"ENTRYPOINT", change_entrypoint},
    {"ENV", change_env},
    {"EXPOSE", change_expose},
    {"HEALTHCHECK", change_healthcheck},
    {"LABEL", change_label},
    {"ONBUILD", change_on_build},
    {"SHELL", change_shell},
    {"STOPSIGNAL", change_stop_signal},
    {"USER", change_user},
    {"VOLUME", change_volume},
    {"WORKDIR", change_workdir},
};

int image_change(struct image_defaults *config, const char *line, struct arena *a, struct error *e) {
    size_t n;
    char *text;

    line += strspn(line, " \t");
    n = strcspn(line, " \t=");
    for (size_t i = 0; i < ARRAY_SIZE(instructions); i++) {
        const char *rest = line + n;

        if (strlen(instructions[i].name) != n || strncasecmp(line, instructions[i].name, n) != 0)
            continue;
        rest += *rest == '=' ? 1 : 0; /* docker takes `--change CMD=/bin/sh` as well */
        rest += strspn(rest, " \t");
        if (!*rest)
            return error_set(e, -EINVAL, "%s wants an argument", instructions[i].name);
        text = arena_strdup(a, rest);
        for (size_t end = strlen(text); end > 0 && isspace((unsigned char)text[end - 1]); end--)
            text[end - 1] = '\0';
        return instructions[i].apply(config, text, a, e);
    }
    return error_set(e, -EINVAL, "%.*s is not a valid change", (int)n, line);
}
