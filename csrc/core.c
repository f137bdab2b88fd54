/* core.c - the module rollcall.core: what C gives to Lua. */
#include "compat.h"
#include "decoder.h"
#include "failure.h"
#include "ledger.h"
#include "record.h"
#include "transfer.h"
#include "value.h"

#if defined(__GNUC__)
#define RC_EXPORT __attribute__((visibility("default")))
#else
#define RC_EXPORT
#endif

RC_EXPORT int luaopen_rollcall_core(lua_State *L);

int luaopen_rollcall_core(lua_State *L) {
  lua_newtable(L);
  rc_failure_open(L);
  rc_record_open(L);
  rc_decoder_open(L);
  rc_ledger_open(L);
  rc_transfer_open(L);
  rc_push_null(L);
  lua_setfield(L, -2, "null");
  return 1;
}
