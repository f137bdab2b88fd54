/* failure.h - the error object: a table whose metatable all of rollcall shares. */
#ifndef RC_FAILURE_H
#define RC_FAILURE_H

#include "compat.h"

#pragma GCC visibility push(hidden)

/* Pushes an error object with kind and message; more fields can be set on it. */
void rc_failure_push(lua_State *L, const char *kind, const char *message);

/* Makes the metatable and adds it to the table on top as error_metatable. The Lua layer gives it
 * its __tostring; without that layer an error prints as "kind: message". */
void rc_failure_open(lua_State *L);

#pragma GCC visibility pop

#endif
