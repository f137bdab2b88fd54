/* value.h - valid JSON text to Lua values. */
#ifndef RC_VALUE_H
#define RC_VALUE_H

#include "compat.h"
#include "json.h"
#include "pointer.h"

#pragma GCC visibility push(hidden)

/* What JSON null becomes: in an object's fields (an array keeps its null sentinels either way, so
 * that its length and positions stay). */
typedef enum rc_nulls {
  RC_NULLS_OMITTED, /* absent, as Lua has it */
  RC_NULLS_KEPT     /* the null sentinel, so that encoding gives it back */
} rc_nulls;

/* The sentinel is the NULL light userdata, which is cjson.null, unless another one was set. */
void rc_push_null(lua_State *L);

/* Pops this state's sentinel from now on; nil: that of the start. */
void rc_set_null(lua_State *L);

/* Pushes the inside of a string (without its quotes). */
void rc_push_string(lua_State *L, const char *bytes, size_t length, bool escaped);

/* The integer that at most RC_QUICK_DIGITS digits write, with or without '-': so many always
 * fit. */
#define RC_QUICK_DIGITS 18u
int64_t rc_read_integer(const char *text, size_t length);

/* Pushes the value; the text must be valid and nested at most RC_JSON_DEPTH_CAP deep. A null by
 * itself is nil or the sentinel, as `nulls` says. */
void rc_push_value(lua_State *L, rc_span text, rc_nulls nulls);

#pragma GCC visibility pop

#endif
