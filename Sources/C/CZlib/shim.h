// SPDX-License-Identifier: Apache-2.0

#include <zlib.h>

// What zlib has as macros.
static inline int epitope_inflate_init(z_stream *stream, int window_bits) { return inflateInit2(stream, window_bits); }
