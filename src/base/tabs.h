/* Text in columns. */
#pragma once

#include "base/buf.h"

/* Characters that a terminal shows for n bytes of UTF-8 (each code point one). */
size_t tabs_width(const char *text, size_t n);
/* Aligns the cells between tabs (text/tabwriter with Docker's padding 3): text with tabs and newlines in, columns out. */
void tabs_align(const char *text, size_t width_min, struct buf *out);
