/* compat.c - see compat.h. */
#include "compat.h"

#if LUA_VERSION_NUM < 502

int rc_absindex(lua_State *L, int index) {
  return index > 0 || index <= LUA_REGISTRYINDEX ? index : lua_gettop(L) + index + 1;
}

void rc_rawsetp(lua_State *L, int index, const void *key) {
  index = rc_absindex(L, index);
  lua_pushlightuserdata(L, (void *)key);
  lua_insert(L, -2);
  lua_rawset(L, index);
}

void rc_rawgetp(lua_State *L, int index, const void *key) {
  index = rc_absindex(L, index);
  lua_pushlightuserdata(L, (void *)key);
  lua_rawget(L, index);
}

#endif
