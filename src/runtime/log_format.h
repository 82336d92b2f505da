/* The two formats of log files, both ways; no I/O.
 *
 * json-file: Docker's, one JSON object a line: {"log":"…\n","stream":"stdout","attrs":{…},"time":"…"}. A part of a line longer than
 * LOG_LINE_MAX has no newline at its end. Bytes that are not UTF-8 become U+FFFD, as there.
 *
 * local: compact and exact (bytes stay as they are), readable from both ends. A file is a row of records, little-endian:
 *     u32 size of data | u8 stream | u8 flags (0) | u16 0 | i64 time in ns since 1970 | data | u32 size of data
 */
#pragma once

#include <time.h>

#include "base/buf.h"
#include "runtime/launch.h"

#define LOG_LINE_MAX      ((size_t)16 << 10)
#define LOG_LOCAL_HEADER  16
#define LOG_LOCAL_TRAILER 4
/* Room that one record needs at most: every byte as \u00XX, and the frame around it. */
#define LOG_RECORD_ROOM(n, attrs_size) (6 * (n) + (attrs_size) + 160)

struct log_record {
    int stream;           /* 1 stdout, 2 stderr */
    struct timespec time; /* when it was read from the container */
    const char *data;     /* borrowed for the call; the line with its newline, or a part of one without */
    size_t size;
    const char *attrs; /* json-file: the record's attrs object as text; NULL = none */
    size_t attrs_size;
};

/* Write one record at p, which has room; return its end. */
char *log_json_encode(char *p, int stream, const char *time_text, const char *attrs, const void *data, size_t n);
char *log_local_encode(char *p, int stream, struct timespec t, const void *data, size_t n);

/* Reads the line p[0..n) (without its newline). The data is unescaped in place: p is changed, ret points into it. -EINVAL. */
int log_json_decode(char *p, size_t n, struct log_record *ret);
/* Reads the record at p. Returns its size, 0 when p[0..n) does not hold it whole, -EINVAL when it cannot be one. */
ssize_t log_local_decode(const char *p, size_t n, struct log_record *ret);
/* Size of the record that ends at p[n - 1]; 0 when p is too short to tell, -EINVAL. */
ssize_t log_local_last(const char *p, size_t n);
/* Name of the current log file of a driver in the container's directory, "<id>-json.log"; NULL when it has none. */
const char *log_file_name(enum log_driver driver, const char *id, char *room, size_t room_size);
