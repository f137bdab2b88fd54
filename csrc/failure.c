/* failure.c - see failure.h. */
#include "failure.h"

#define METATABLE "rollcall.error"

void rc_failure_push(lua_State *L, const char *kind, const char *message) {
  lua_createtable(L, 0, 6);
  lua_pushstring(L, kind);
  lua_setfield(L, -2, "kind");
  lua_pushstring(L, message);
  lua_setfield(L, -2, "message");
  luaL_getmetatable(L, METATABLE);
  lua_setmetatable(L, -2);
}

static int failure_tostring(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_getfield(L, 1, "kind");
  lua_pushliteral(L, ": ");
  lua_getfield(L, 1, "message");
  lua_concat(L, 3);
  return 1;
}

void rc_failure_open(lua_State *L) {
  (void)luaL_newmetatable(L, METATABLE);
  lua_getfield(L, -1, "__tostring");
  if (lua_isnil(L, -1)) { /* on a second load the Lua layer's stays */
    lua_pushcfunction(L, failure_tostring);
    lua_setfield(L, -3, "__tostring");
  }
  lua_pop(L, 1);
  lua_setfield(L, -2, "error_metatable");
}
