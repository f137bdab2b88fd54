/* poller.h - the Lua face of one descriptor that stands for several sockets, on systems that have
 * it. */
#ifndef RC_POLLER_H
#define RC_POLLER_H

#include "compat.h"

#pragma GCC visibility push(hidden)

/* Adds poller to the table on top: on Linux. */
void rc_poller_open(lua_State *L);

#pragma GCC visibility pop

#endif
