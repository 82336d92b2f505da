/* Command lines: words separated by line ends, the first ones name the command. What is accepted holds its argument bounds. */
#include "cli/command.h"
#include "fuzz.h"

#define WORDS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    char *text = (char *)fuzz_text(&a, data, size), *save = NULL;
    const char *words[WORDS_MAX + 1] = {0};
    const struct command *c;
    struct strs args = {0};
    size_t n = 0, used;
    void *options;
    bool help = false;

    for (char *w = strtok_r(text, "\n", &save); w && n < WORDS_MAX; w = strtok_r(NULL, "\n", &save))
        words[n++] = w;
    if (n == 0 || !(c = command_find(words, n, &used)))
        return 0;
    FUZZ_MUST(used <= n);
    options = arena_alloc(&a, c->options_size ? c->options_size : 1);
    if (command_parse(c, words + used, n - used, &a, options, &args, &help, NULL) < 0 || help)
        return 0;
    FUZZ_MUST(args.n >= (size_t)c->args_min || (c->flags & (COMMAND_GROUP | COMMAND_RAW_ARGS)));
    FUZZ_MUST(c->args_max < 0 || args.n <= (size_t)c->args_max || (c->flags & (COMMAND_GROUP | COMMAND_RAW_ARGS)));
    return 0;
}
