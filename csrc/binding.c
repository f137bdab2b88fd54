/* binding.c - see binding.h. */
#include "binding.h"

#include <string.h>

void rc_new_metatable(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction gc) {
  luaL_newmetatable(L, name);
  lua_newtable(L);
  lua_pushvalue(L, -2);
  luaL_setfuncs(L, methods, 1);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, gc);
  lua_setfield(L, -2, "__gc");
  lua_pushstring(L, name);
  lua_setfield(L, -2, "__name");
  lua_pushstring(L, name);
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 1);
}

void *rc_check_self(lua_State *L, const char *name) {
  void *self = lua_touserdata(L, 1);
  if (self != NULL && lua_getmetatable(L, 1)) {
    const int same = lua_rawequal(L, -1, lua_upvalueindex(1));
    lua_pop(L, 1);
    if (same) {
      return self;
    }
  }
  return luaL_checkudata(L, 1, name);
}

void rc_push_count(lua_State *L, unsigned long long count) {
#if LUA_VERSION_NUM >= 503
  lua_pushinteger(L, (lua_Integer)count);
#else
  lua_pushnumber(L, (lua_Number)count);
#endif
}

int rc_answer_nil(lua_State *L) {
  lua_pushnil(L);
  return 1;
}

const char *rc_push_pointer(lua_State *L, int index, rc_pointer *pointer) {
  size_t length;
  const char *text = lua_tolstring(L, index, &length);
  char *copy = lua_newuserdatauv(L, length + 1, 0);
  memcpy(copy, text, length);
  return rc_pointer_parse(pointer, copy, length);
}
