/* compat.h - the Lua 5.4 API on LuaJIT (the 5.1 API with LuaJIT's additions). */
#ifndef RC_COMPAT_H
#define RC_COMPAT_H

#include <lauxlib.h>
#include <lua.h>

#if LUA_VERSION_NUM == 502 || LUA_VERSION_NUM == 503
#error "rollcall needs Lua 5.4 or LuaJIT 2.1"
#endif

#if LUA_VERSION_NUM < 502
/* LuaJIT has these, but Lua 5.1's headers, which may be used to build for it, do not declare
 * them. */
int lua_isyieldable(lua_State *L);
void luaL_setfuncs(lua_State *L, const luaL_Reg *functions, int upvalues);
void *luaL_testudata(lua_State *L, int index, const char *name);
#else
_Static_assert(sizeof(lua_Integer) >= 8, "rollcall needs a Lua whose integers have 64 bits");
#endif

#if LUA_VERSION_NUM < 502

#pragma GCC visibility push(hidden)

#define lua_rawlen(L, index) lua_objlen((L), (index))
#define lua_newuserdatauv(L, size, values) ((void)(values), lua_newuserdata((L), (size)))
/* One user value, which must be a table. */
#define lua_setiuservalue(L, index, n) ((void)(n), lua_setfenv((L), (index)))
#define lua_getiuservalue(L, index, n) ((void)(n), lua_getfenv((L), (index)))
#define lua_absindex(L, index) rc_absindex((L), (index))
#define lua_rawsetp(L, index, key) rc_rawsetp((L), (index), (key))
#define lua_rawgetp(L, index, key) rc_rawgetp((L), (index), (key))

int rc_absindex(lua_State *L, int index);
void rc_rawsetp(lua_State *L, int index, const void *key);
void rc_rawgetp(lua_State *L, int index, const void *key);

#pragma GCC visibility pop

#endif

#endif
