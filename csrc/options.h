/* options.h - reads a table of options from Lua: what is unknown or ill-typed raises, by name. */
#ifndef RC_OPTIONS_H
#define RC_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compat.h"

#pragma GCC visibility push(hidden)

/* Raises unless a table stands at the index whose keys are all in `known` (NULL-terminated).
 * `where` begins every message. */
void rc_options_check(lua_State *L, int index, const char *where, const char *const *known);

/* Pushes the option's value, nil if it is absent. Raw, so that the table itself keeps the value
 * alive. */
void rc_options_push(lua_State *L, int index, const char *name);

/* `fallback` if it is absent. */
bool rc_options_boolean(lua_State *L, int index, const char *where, const char *name,
                        bool fallback);

/* A whole number from 0 to `most`; `fallback` if it is absent. */
uint64_t rc_options_size(lua_State *L, int index, const char *where, const char *name,
                         uint64_t fallback, uint64_t most);

/* Seconds as milliseconds, rounded up; `fallback` (milliseconds) if it is absent. */
long rc_options_seconds(lua_State *L, int index, const char *where, const char *name,
                        long fallback);

/* The same as nanoseconds. */
int64_t rc_options_nanoseconds(lua_State *L, int index, const char *where, const char *name,
                               int64_t fallback);

/* A string without NUL, which the table keeps alive; NULL if it is absent. */
const char *rc_options_string(lua_State *L, int index, const char *where, const char *name);

#pragma GCC visibility pop

#endif
