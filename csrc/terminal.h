/* terminal.h - what the command line needs of POSIX and Lua lacks: terminals, signals, standard
 * descriptors, exec, and files written beside others. */
#ifndef RC_TERMINAL_H
#define RC_TERMINAL_H

#include "compat.h"

#pragma GCC visibility push(hidden)

/* Adds the table `terminal` to the table on top: its functions are in core.d.lua. Nothing happens
 * to any signal or descriptor before one is called. */
void rc_terminal_open(lua_State *L);

#pragma GCC visibility pop

#endif
