/* decoder.h - the Lua face of items: bytes in, records out. */
#ifndef RC_DECODER_H
#define RC_DECODER_H

#include "compat.h"
#include "items.h"

#pragma GCC visibility push(hidden)

typedef struct rc_decoder {
  rc_items *items; /* owned; NULL once closed */
  int pins;        /* calls that are reading from items */
  bool closing;    /* closed during such a call: the last of them frees */
} rc_decoder;

/* The decoder at the index; raises unless an open one stands there. */
rc_decoder *rc_decoder_check(lua_State *L, int index);

/* Pushes the next whole item of the decoder at stack index `index` as a record and returns true.
 * false: there is none, or a finalizer took it meanwhile; some values may be pushed. */
bool rc_decoder_push_next(lua_State *L, int index, rc_decoder *decoder);

/* The same, but pushes true and the values that the selection at stack index `selection` gives of
 * it. Both indices are absolute; it needs the room that rc_selection_push does. */
bool rc_decoder_push_values(lua_State *L, int index, rc_decoder *decoder, int selection);

/* Adds decoder to the table on top. */
void rc_decoder_open(lua_State *L);

#pragma GCC visibility pop

#endif
