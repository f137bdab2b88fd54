/* descriptor.h - the Lua face of a duplicated file descriptor, for loops to watch. */
#ifndef RC_DESCRIPTOR_H
#define RC_DESCRIPTOR_H

#include "compat.h"

#pragma GCC visibility push(hidden)

/* Adds duplicate to the table on top. */
void rc_descriptor_open(lua_State *L);

#pragma GCC visibility pop

#endif
