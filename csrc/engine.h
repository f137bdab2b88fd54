/* engine.h - the Lua face of an engine: what transfers run on, and what is waited on. */
#ifndef RC_ENGINE_H
#define RC_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "compat.h"
#include "http.h"

#pragma GCC visibility push(hidden)

typedef struct rc_engine {
  rc_http *http;         /* owned; NULL once closed */
  uint64_t writes;       /* how often body bytes arrived */
  uint64_t notices;      /* calls of notify */
  uint64_t noticed;      /* the activity that the last wait ended with */
  int64_t turn_interval; /* nanoseconds after which next asks for the loop's turn; 0: never */
  int64_t last_turn;     /* when it last did, in nanoseconds of the monotonic clock */
} rc_engine;

/* The engine at the index, open or closed (http is NULL then): most methods must not raise, since a
 * finalizer may close an engine at any time. */
rc_engine *rc_engine_self(lua_State *L, int index);

/* Is the loop's turn due? If so, the interval begins anew. */
bool rc_engine_loop_is_due(rc_engine *engine);

/* Adds a method to engines. */
void rc_engine_add_method(lua_State *L, const char *name, lua_CFunction method);

/* Adds engine, wait and now to the table on top. */
void rc_engine_open(lua_State *L);

#pragma GCC visibility pop

#endif
