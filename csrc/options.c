/* options.c - see options.h. */
#include "options.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void rc_options_check(lua_State *L, int index, const char *where, const char *const *known) {
  if (!lua_istable(L, index)) {
    luaL_error(L, "%s: expected a table of options, got %s", where, luaL_typename(L, index));
  }
  lua_pushnil(L);
  while (lua_next(L, index) != 0) {
    lua_pop(L, 1);
    if (lua_type(L, -1) != LUA_TSTRING) {
      luaL_error(L, "%s: an option's name must be a string, got %s", where, luaL_typename(L, -1));
    }
    const char *name = lua_tostring(L, -1);
    const char *const *one = known;
    while (*one != NULL && strcmp(*one, name) != 0) {
      one++;
    }
    if (*one == NULL) {
      luaL_error(L, "%s: there is no option \"%s\"", where, name);
    }
  }
}

void rc_options_push(lua_State *L, int index, const char *name) {
  index = lua_absindex(L, index);
  lua_pushstring(L, name);
  lua_rawget(L, index);
}

/* Pushes the option; false if it is absent (nothing is pushed then). */
static bool push_option(lua_State *L, int index, const char *name) {
  rc_options_push(L, index, name);
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    return false;
  }
  return true;
}

/* What is on top: a number, or else the name of its type. */
static const char *shown(lua_State *L) {
  return lua_type(L, -1) == LUA_TNUMBER ? lua_tostring(L, -1) : luaL_typename(L, -1);
}

bool rc_options_boolean(lua_State *L, int index, const char *where, const char *name,
                        bool fallback) {
  if (!push_option(L, index, name)) {
    return fallback;
  }
  if (!lua_isboolean(L, -1)) {
    luaL_error(L, "%s: %s: expected a boolean, got %s", where, name, luaL_typename(L, -1));
  }
  const bool value = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return value;
}

uint64_t rc_options_size(lua_State *L, int index, const char *where, const char *name,
                         uint64_t fallback, uint64_t most) {
  if (!push_option(L, index, name)) {
    return fallback;
  }
  const lua_Number n = lua_tonumber(L, -1);
  /* Written so that NaN fails. */
  const bool good = lua_type(L, -1) == LUA_TNUMBER && n >= 0 && n <= (lua_Number)most;
  /* 2^63 is the first double that a signed 64-bit integer cannot hold. */
  const uint64_t whole = good && n < 9223372036854775808.0 ? (uint64_t)n : most;
  if (!good || (lua_Number)whole < n) {
    char limit[24];
    (void)snprintf(limit, sizeof limit, "%" PRIu64, most);
    luaL_error(L, "%s: %s: expected a whole number from 0 to %s, got %s", where, name, limit,
               shown(L));
  }
  lua_pop(L, 1);
  return whole;
}

/* Leaves the stack as it was; false if it is absent. */
static bool read_seconds(lua_State *L, int index, const char *where, const char *name,
                         lua_Number *seconds) {
  if (!push_option(L, index, name)) {
    return false;
  }
  *seconds = lua_tonumber(L, -1);
  if (lua_type(L, -1) != LUA_TNUMBER || !(*seconds >= 0 && *seconds <= 1e6)) {
    luaL_error(L, "%s: %s: expected seconds from 0 to 1000000, got %s", where, name, shown(L));
  }
  lua_pop(L, 1);
  return true;
}

/* A part of a unit counts as a whole one. */
static int64_t rounded_up(lua_Number n) {
  const int64_t whole = (int64_t)n;
  return (lua_Number)whole < n ? whole + 1 : whole;
}

long rc_options_seconds(lua_State *L, int index, const char *where, const char *name,
                        long fallback) {
  lua_Number seconds;
  return read_seconds(L, index, where, name, &seconds) ? (long)rounded_up(seconds * 1e3) : fallback;
}

int64_t rc_options_nanoseconds(lua_State *L, int index, const char *where, const char *name,
                               int64_t fallback) {
  lua_Number seconds;
  return read_seconds(L, index, where, name, &seconds) ? rounded_up(seconds * 1e9) : fallback;
}

const char *rc_options_string(lua_State *L, int index, const char *where, const char *name) {
  if (!push_option(L, index, name)) {
    return NULL;
  }
  size_t length = 0;
  const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &length) : NULL;
  if (text == NULL) {
    luaL_error(L, "%s: %s: expected a string, got %s", where, name, luaL_typename(L, -1));
    return NULL; /* not reached, which analyzers of this file cannot know */
  }
  if (memchr(text, '\0', length) != NULL) {
    luaL_error(L, "%s: %s: a NUL byte in it", where, name);
  }
  lua_pop(L, 1);
  return text;
}
