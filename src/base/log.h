/* The engine's own diary (--log-level, --debug): off the hot path, to standard error. Errors that a user must see are returned, not
 * logged. Never pass credentials. */
#pragma once

#include "base/cleanup.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

extern enum log_level log_level; /* default: warn */

int log_level_parse(const char *text, enum log_level *ret); /* debug, info, warn, error, fatal; -EINVAL */
void log_write(enum log_level level, const char *fmt, ...) _printf_(2, 3);

#define log_debug(...) (log_level >= LOG_LEVEL_DEBUG ? log_write(LOG_LEVEL_DEBUG, __VA_ARGS__) : (void)0)
#define log_info(...)  (log_level >= LOG_LEVEL_INFO ? log_write(LOG_LEVEL_INFO, __VA_ARGS__) : (void)0)
#define log_warn(...)  (log_level >= LOG_LEVEL_WARN ? log_write(LOG_LEVEL_WARN, __VA_ARGS__) : (void)0)
