/* pointer.h - JSON Pointers (RFC 6901): parsed once, matched segment by segment, and resolved in a
 * whole, valid JSON text. Pure. */
#ifndef RC_POINTER_H
#define RC_POINTER_H

#include "json.h"

#pragma GCC visibility push(hidden)

#define RC_POINTER_SEGMENTS 16 /* the longest pointer that is taken */

typedef struct rc_segment {
  const char *text; /* with ~0 and ~1 decoded; inside the memory given to rc_pointer_parse */
  size_t length;
} rc_segment;

typedef struct rc_pointer {
  rc_segment segments[RC_POINTER_SEGMENTS];
  unsigned count; /* 0 for "", the whole document */
} rc_pointer;

/* Parses and decodes `text` in place; the pointer refers to it. NULL, or what is wrong with it. */
const char *rc_pointer_parse(rc_pointer *pointer, char *text, size_t length);

/* Is the segment this key (as it stands in the JSON text, without quotes)? */
bool rc_segment_is_key(const rc_segment *segment, const char *key, size_t length, bool escaped);

/* Is the segment this array index, without leading zeros? */
bool rc_segment_is_index(const rc_segment *segment, uint64_t index);

typedef struct rc_span {
  const char *bytes; /* of a value, with its quotes or brackets */
  size_t length;
  rc_json_type type;
  unsigned flags; /* RC_JSON_ESCAPED, RC_JSON_INTEGER */
} rc_span;

/* Finds the value that the segments from `from` on lead to in a valid JSON text; false if there is
 * none. Of equal keys the last wins. */
bool rc_pointer_find(const rc_pointer *pointer, unsigned from, rc_span text, rc_span *found);

#pragma GCC visibility pop

#endif
