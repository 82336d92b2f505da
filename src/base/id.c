#include "base/id.h"

#include <ctype.h>
#include <string.h>
#include <sys/random.h>

void hex_encode(const void *p, size_t n, char *text) {
    static const char digits[] = "0123456789abcdef";
    const unsigned char *bytes = p;

    for (size_t i = 0; i < n; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    text[2 * n] = '\0';
}

int id_new(char id[ID_LENGTH + 1]) {
    unsigned char random[ID_LENGTH / 2];

    do {
        if (getrandom(random, sizeof(random), 0) != sizeof(random))
            return -EIO;
        hex_encode(random, sizeof(random), id);
    } while (strspn(id, "0123456789") >= ID_SHORT_LENGTH);
    return 0;
}

bool id_is_prefix(const char *s) {
    size_t n = strspn(s, "0123456789abcdef");

    return n >= 1 && n <= ID_LENGTH && s[n] == '\0';
}

bool id_is_full(const char *s) {
    return id_is_prefix(s) && strlen(s) == ID_LENGTH;
}

int name_check(const char *what, const char *name, struct error *e) {
    bool good = isalnum((unsigned char)name[0]) && strlen(name) <= NAME_MAX_LENGTH;

    for (const char *c = name; good && *c; c++)
        good = isalnum((unsigned char)*c) || *c == '_' || *c == '.' || *c == '-';
    if (good)
        return 0;
    error_set(e, -EINVAL, "invalid %s (%s)", what, name);
    return error_hint(e, "only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed, at most %d characters", NAME_MAX_LENGTH);
}
