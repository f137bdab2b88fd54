/* ledger.h - the Lua faces of delivery and seen. */
#ifndef RC_LEDGER_H
#define RC_LEDGER_H

#include "compat.h"
#include "delivery.h"

#pragma GCC visibility push(hidden)

/* What a page gives and has given. */
typedef struct rc_ledger {
  rc_delivery delivery; /* owned */
  uint64_t allowance;   /* items that may be given in all */
} rc_ledger;

/* Raises unless a ledger stands at the index. */
rc_ledger *rc_ledger_check(lua_State *L, int index);

/* Adds ledger and seen to the table on top. */
void rc_ledger_open(lua_State *L);

#pragma GCC visibility pop

#endif
