/* compat.c - see compat.h. */
#include "compat.h"

#include <stdint.h>

#if LUA_VERSION_NUM < 502

int rc_absindex(lua_State *L, int index) {
  return index > 0 || index <= LUA_REGISTRYINDEX ? index : lua_gettop(L) + index + 1;
}

/* Light userdata of older LuaJITs hold 47 bits, and static data of AArch64 may lie above. */
static void push_key(lua_State *L, const void *key) {
  const uint64_t low = (uint64_t)(uintptr_t)key & (((uint64_t)1 << 47) - 1);
  /* It is only compared, never followed. NOLINTNEXTLINE(performance-no-int-to-ptr) */
  lua_pushlightuserdata(L, (void *)(uintptr_t)low);
}

void rc_rawsetp(lua_State *L, int index, const void *key) {
  index = rc_absindex(L, index);
  push_key(L, key);
  lua_insert(L, -2);
  lua_rawset(L, index);
}

void rc_rawgetp(lua_State *L, int index, const void *key) {
  index = rc_absindex(L, index);
  push_key(L, key);
  lua_rawget(L, index);
}

#endif
