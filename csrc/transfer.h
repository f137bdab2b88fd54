/* transfer.h - the Lua face of a transfer, which feeds a decoder: what engine:request returns. */
#ifndef RC_TRANSFER_H
#define RC_TRANSFER_H

#include "compat.h"

#pragma GCC visibility push(hidden)

/* Adds the method `request` to engines; after rc_engine_open. */
void rc_transfer_open(lua_State *L);

#pragma GCC visibility pop

#endif
