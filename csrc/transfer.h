/* transfer.h - the Lua faces of http: the engine, and a transfer that feeds a decoder. */
#ifndef RC_TRANSFER_H
#define RC_TRANSFER_H

#include "compat.h"

#pragma GCC visibility push(hidden)

/* Adds engine, wait and now to the table on top. */
void rc_transfer_open(lua_State *L);

#pragma GCC visibility pop

#endif
