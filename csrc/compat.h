/* compat.h - the Lua 5.4 API on LuaJIT (the 5.1 API with LuaJIT's additions). */
#ifndef RC_COMPAT_H
#define RC_COMPAT_H

#include <lauxlib.h>
#include <lua.h>

#if LUA_VERSION_NUM == 502 || LUA_VERSION_NUM == 503
#error "rollcall needs Lua 5.4 or LuaJIT 2.1"
#endif

#if LUA_VERSION_NUM < 502
/* LuaJIT has them; who builds for it may have Lua 5.1's headers, which do not declare them. */
int lua_isyieldable(lua_State *L);
void luaL_setfuncs(lua_State *L, const luaL_Reg *functions, int upvalues);
void *luaL_testudata(lua_State *L, int index, const char *name);
#else
_Static_assert(sizeof(lua_Integer) >= 8, "rollcall needs a Lua whose integers have 64 bits");
#endif

#pragma GCC visibility push(hidden)

#if LUA_VERSION_NUM < 502

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

#endif

/* Registers a metatable of this name with its methods in a table of their own, `gc` as __gc, and
 * itself hidden from getmetatable. Each method's first upvalue is the metatable, for rc_check_self.
 * Leaves the stack as it was. */
void rc_new_metatable(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction gc);

/* In a method: the userdata at index 1, which must be of the method's own metatable. The same as
 * luaL_checkudata, without a look-up by name. */
void *rc_check_self(lua_State *L, const char *name);

/* A whole number that may be beyond 2^31: an integer where the Lua has them. */
void rc_push_count(lua_State *L, unsigned long long count);

#pragma GCC visibility pop

#endif
