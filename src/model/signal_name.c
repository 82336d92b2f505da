#include "model/signal_name.h"

#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "model/units.h"

int signal_parse(const char *text) {
    int64_t n;
    if (int_parse(text, 1, 64, &n) == 0)
        return (int)n;
    if (strncasecmp(text, "SIG", 3) == 0)
        text += 3;
    for (int i = 1; i < 32; i++) {
        const char *name = sigabbrev_np(i);
        if (name && strcasecmp(name, text) == 0)
            return i;
    }
    bool min = strncasecmp(text, "RTMIN", 5) == 0;
    if (!min && strncasecmp(text, "RTMAX", 5) != 0)
        return 0;
    n = 0;
    if (text[5] && int_parse(text + 5, -30, 30, &n) < 0)
        return 0;
    int number = (min ? SIGRTMIN : SIGRTMAX) + (int)n;
    return number >= SIGRTMIN && number <= SIGRTMAX ? number : 0;
}
