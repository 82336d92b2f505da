/* Signals by name and number, as `kill`, `--stop-signal` and STOPSIGNAL take them. */
#pragma once

/* Number of "SIGTERM", "term", "15", "RTMIN+3" (1 to 64); 0 = unknown. Source: signal(7). */
int signal_parse(const char *text);
/* "TERM"; NULL for those without a name of their own. Constant. */
const char *signal_name(int number);
