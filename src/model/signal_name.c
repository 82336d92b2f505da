#include "model/signal_name.h"

#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "model/units.h"

#define REAL_TIME_MIN 34 /* as glibc, Go and so systemd and Docker count; musl's SIGRTMIN is 35 */
#define REAL_TIME_MAX 64

/* The name that is told stands before others of the same number. */
#define SIGNAL(name)                                                                                                               \
    { #name, SIG##name }
static const struct {
    const char *name;
    int number;
} signals[] = {
    {"CHLD", SIGCHLD}, {"CLD", SIGCHLD}, SIGNAL(ABRT),   SIGNAL(ALRM),  SIGNAL(BUS),  SIGNAL(CONT), SIGNAL(FPE),
    SIGNAL(HUP),       SIGNAL(ILL),      SIGNAL(INT),    SIGNAL(IO),    SIGNAL(IOT),  SIGNAL(KILL), SIGNAL(PIPE),
    SIGNAL(POLL),      SIGNAL(PROF),     SIGNAL(PWR),    SIGNAL(QUIT),  SIGNAL(SEGV), SIGNAL(STOP), SIGNAL(STKFLT),
    SIGNAL(SYS),       SIGNAL(TERM),     SIGNAL(TRAP),   SIGNAL(TSTP),  SIGNAL(TTIN), SIGNAL(TTOU), SIGNAL(URG),
    SIGNAL(USR1),      SIGNAL(USR2),     SIGNAL(VTALRM), SIGNAL(WINCH), SIGNAL(XCPU), SIGNAL(XFSZ),
};
#undef SIGNAL

const char *signal_name(int number) {
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
        if (signals[i].number == number)
            return signals[i].name;
    return NULL;
}

int signal_parse(const char *text) {
    int64_t n;
    if (int_parse(text, 1, 64, &n) == 0)
        return (int)n;
    if (strncasecmp(text, "SIG", 3) == 0)
        text += 3;
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
        if (strcasecmp(signals[i].name, text) == 0)
            return signals[i].number;
    bool min = strncasecmp(text, "RTMIN", 5) == 0;
    if (!min && strncasecmp(text, "RTMAX", 5) != 0)
        return 0;
    n = 0;
    if (text[5] && int_parse(text + 5, -30, 30, &n) < 0)
        return 0;
    int number = (min ? REAL_TIME_MIN : REAL_TIME_MAX) + (int)n;
    return number >= REAL_TIME_MIN && number <= REAL_TIME_MAX ? number : 0;
}
