/* engine.c - see engine.h. */
#define _POSIX_C_SOURCE 200809L
#include "engine.h"

#include <limits.h>
#include <string.h>
#include <time.h>

#include "binding.h"
#include "options.h"

#define ENGINE "rollcall.engine"
#define MAX_WAIT_ENGINES 64

rc_engine *rc_engine_self(lua_State *L, int index) {
  return luaL_checkudata(L, index, ENGINE);
}

/* The engine at the index, which must be open: raises if it is closed. */
static rc_engine *check_engine(lua_State *L, int index) {
  rc_engine *e = rc_engine_self(L, index);
  luaL_argcheck(L, e->http != NULL, index, "the engine is closed");
  return e;
}

/* Grows with everything that a poll of a walk could find new. */
static uint64_t activity(const rc_engine *e) {
  return e->writes + e->notices + rc_http_finished_count(e->http);
}

/* engine{turn = seconds, multiplex = boolean} -> engine
 *
 * turn: how often next of its transfers returns nil to give the caller's loop its turn; never by
 * default. multiplex: see rc_http_new; true by default. */
static int engine_new(lua_State *L) {
  static const char *const known[] = {"turn", "multiplex", NULL};
  int64_t turn_interval = 0;
  bool multiplex = true;
  if (!lua_isnoneornil(L, 1)) {
    rc_options_check(L, 1, "engine", known);
    turn_interval = rc_options_nanoseconds(L, 1, "engine", "turn", 0);
    multiplex = rc_options_boolean(L, 1, "engine", "multiplex", true);
  }
  rc_engine *e = lua_newuserdatauv(L, sizeof *e, 0);
  memset(e, 0, sizeof *e);
  e->turn_interval = turn_interval;
  luaL_getmetatable(L, ENGINE);
  lua_setmetatable(L, -2);
  e->http = rc_http_new(multiplex);
  if (e->http == NULL) {
    return luaL_error(L, "engine: libcurl did not start, or memory is out");
  }
  return 1;
}

/* engine:close(), and __gc. Running transfers fail. */
static int engine_close(lua_State *L) {
  rc_engine *e = luaL_checkudata(L, 1, ENGINE);
  rc_http *http = e->http;
  e->http = NULL;
  if (http != NULL) {
    rc_http_free(http);
  }
  return 0;
}

/* engine:drive(): does what can be done without waiting; nothing if it is closed. */
static int engine_drive(lua_State *L) {
  const rc_engine *e = rc_engine_self(L, 1);
  if (e->http != NULL) {
    rc_http_drive(e->http);
  }
  return 0;
}

/* engine:notify(): ends a wait for it, so that its caller looks again. */
static int engine_notify(lua_State *L) {
  rc_engine_self(L, 1)->notices++;
  return 0;
}

/* -- for a foreign loop; http.h has the contract -------------------------------------------- */

/* engine:counters() -> activity, sockets | nil if it is closed. The first grows with everything
 * that a poll of a walk could find new, the second whenever other sockets are to be watched. */
static int engine_counters(lua_State *L) {
  const rc_engine *e = luaL_checkudata(L, 1, ENGINE);
  if (e->http == NULL) {
    return rc_answer_nil(L);
  }
  rc_push_count(L, activity(e));
  rc_push_count(L, rc_http_sockets_version(e->http));
  return 2;
}

/* engine:sockets(list) -> how many. Fills the caller's list with fd, id and "r", "w" or "rw" of the
 * first, then of the second, and so on. */
static int engine_sockets(lua_State *L) {
  static const char *const events[] = {"", "r", "w", "rw"};
  const rc_engine *e = check_engine(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  size_t count = rc_http_sockets(e->http, NULL, 0);
  rc_http_socket *found = lua_newuserdatauv(L, (count + 1) * sizeof *found, 0);
  e = check_engine(L, 1); /* allocating may have run a finalizer that closed or drove it */
  const size_t now = rc_http_sockets(e->http, found, count);
  count = now < count ? now : count;
  int at = 0;
  for (size_t i = 0; i < count; i++) {
    lua_pushinteger(L, found[i].fd);
    lua_rawseti(L, 2, ++at);
    rc_push_count(L, found[i].id);
    lua_rawseti(L, 2, ++at);
    lua_pushstring(L, events[(found[i].wants_read ? 1 : 0) + (found[i].wants_write ? 2 : 0)]);
    lua_rawseti(L, 2, ++at);
  }
  for (int last = (int)lua_rawlen(L, 2); last > at; last--) {
    lua_pushnil(L);
    lua_rawseti(L, 2, last);
  }
  lua_pushinteger(L, (lua_Integer)count);
  return 1;
}

/* engine:timeout() -> seconds until drive wants to be called | nil for never. */
static int engine_timeout(lua_State *L) {
  const rc_engine *e = check_engine(L, 1);
  const long wait = rc_http_timeout(e->http);
  if (wait < 0) {
    return rc_answer_nil(L);
  }
  lua_pushnumber(L, (lua_Number)wait / 1000);
  return 1;
}

/* engine:action(fd, events): the socket is ready for "r", "w" or "rw". */
static int engine_action(lua_State *L) {
  const lua_Integer fd = luaL_checkinteger(L, 2);
  const char *events = luaL_checkstring(L, 3);
  luaL_argcheck(L, fd >= 0 && fd <= INT_MAX, 2, "expected a file descriptor");
  const rc_engine *e = check_engine(L, 1); /* last: making a string may run a finalizer */
  rc_http_action(e->http, (int)fd, strchr(events, 'r') != NULL, strchr(events, 'w') != NULL);
  return 0;
}

/* wait(engines, seconds): until something happens on one of them, at most that long (nil: an hour).
 *
 * What happened between two waits (transfer:next drives its engine, too) ends the second at once,
 * as the caller may have looked before it happened. So does a closed engine. */
static int engines_wait(lua_State *L) {
  rc_engine *engines[MAX_WAIT_ENGINES];
  rc_http *https[MAX_WAIT_ENGINES];
  bool news = false;
  size_t count = 0;
  luaL_checktype(L, 1, LUA_TTABLE);
  const lua_Number most = 3600;
  const lua_Number seconds = luaL_optnumber(L, 2, most);
  luaL_argcheck(L, seconds >= 0, 2, "expected seconds, not negative");
  for (;;) {
    lua_rawgeti(L, 1, (int)count + 1);
    if (lua_isnil(L, -1)) {
      break;
    }
    if (count == MAX_WAIT_ENGINES) {
      return luaL_error(L, "wait: at most %d engines", MAX_WAIT_ENGINES);
    }
    engines[count] = luaL_testudata(L, -1, ENGINE);
    if (engines[count] == NULL) {
      return luaL_error(L, "wait: %d: expected an engine, got %s", (int)count + 1,
                        luaL_typename(L, -1));
    }
    if (engines[count]->http == NULL) {
      return 0;
    }
    https[count] = engines[count]->http;
    news = news || activity(engines[count]) != engines[count]->noticed;
    count++;
    lua_pop(L, 1);
  }
  const lua_Number bounded = seconds < most ? seconds : most;
  const long whole = (long)(bounded * 1000);
  if (!news) {
    rc_http_wait_many(https, count, (lua_Number)whole < bounded * 1000 ? whole + 1 : whole);
  }
  for (size_t i = 0; i < count; i++) {
    engines[i]->noticed = activity(engines[i]);
  }
  return 0;
}

/* now() -> seconds on a clock that never goes back. */
static int clock_now(lua_State *L) {
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  lua_pushnumber(L, (lua_Number)now.tv_sec + (lua_Number)now.tv_nsec / 1e9);
  return 1;
}

bool rc_engine_loop_is_due(rc_engine *e) {
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  const int64_t at = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
  if (at - e->last_turn < e->turn_interval) {
    return false;
  }
  e->last_turn = at;
  return true;
}

void rc_engine_add_method(lua_State *L, const char *name, lua_CFunction method) {
  luaL_getmetatable(L, ENGINE);
  lua_getfield(L, -1, "__index");
  lua_pushcfunction(L, method);
  lua_setfield(L, -2, name);
  lua_pop(L, 2);
}

void rc_engine_open(lua_State *L) {
  static const luaL_Reg methods[] = {{"drive", engine_drive},       {"close", engine_close},
                                     {"counters", engine_counters}, {"sockets", engine_sockets},
                                     {"timeout", engine_timeout},   {"action", engine_action},
                                     {"notify", engine_notify},     {NULL, NULL}};
  static const luaL_Reg functions[] = {
      {"engine", engine_new}, {"wait", engines_wait}, {"now", clock_now}, {NULL, NULL}};
  rc_new_metatable(L, ENGINE, methods, engine_close);
  luaL_setfuncs(L, functions, 0);
}
