/* binding.h - what the Lua faces have in common: metatables, checks, numbers, JSON Pointers. */
#ifndef RC_BINDING_H
#define RC_BINDING_H

#include "compat.h"
#include "pointer.h"

#pragma GCC visibility push(hidden)

/* Registers a metatable of this name with its methods in a table of their own, `gc` as __gc, and
 * itself hidden from getmetatable. Each method's first upvalue is the metatable, for rc_check_self.
 * Leaves the stack as it was. */
void rc_new_metatable(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction gc);

/* In a method: the userdata at index 1, which must be of the method's own metatable. The same as
 * luaL_checkudata, without a look-up by name. */
void *rc_check_self(lua_State *L, const char *name);

/* A whole number that may exceed 2^31: an integer if Lua has them. */
void rc_push_count(lua_State *L, unsigned long long count);

/* Returns one nil from a C function: with no result at all, tostring(f()) and the like would raise.
 */
int rc_answer_nil(lua_State *L);

/* Parses the string at the index as a JSON Pointer; NULL, or what is wrong with it. Pushes what the
 * pointer refers to, which must stay alive as long as it is used. */
const char *rc_push_pointer(lua_State *L, int index, rc_pointer *pointer);

#pragma GCC visibility pop

#endif
