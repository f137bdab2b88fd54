/* transfer.h - the Lua face of a transfer, which feeds a decoder: what engine:request answers. */
#ifndef RC_TRANSFER_H
#define RC_TRANSFER_H

#include "compat.h"

#pragma GCC visibility push(hidden)

/* Gives engines, which are open, their method `request`. */
void rc_transfer_open(lua_State *L);

#pragma GCC visibility pop

#endif
