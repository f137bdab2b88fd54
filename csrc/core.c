/* core.c - the module rollcall.core: what C gives to Lua. */
#define _GNU_SOURCE /* dladdr */

#include <dlfcn.h>

#include "compat.h"
#include "decoder.h"
#include "descriptor.h"
#include "engine.h"
#include "failure.h"
#include "ledger.h"
#include "poller.h"
#include "record.h"
#include "selection.h"
#include "terminal.h"
#include "transfer.h"
#include "value.h"

#if defined(__GNUC__)
#define RC_EXPORT __attribute__((visibility("default")))
#else
#define RC_EXPORT
#endif

RC_EXPORT int luaopen_rollcall_core(lua_State *L);

/* Keeps this module and libcurl in memory when the last Lua state that loaded them ends: a thread
 * of libcurl's that still waits for a name server returns into them, and a script's finalizer may
 * call a method after its state has unloaded the module. */
static void stay_loaded(void) {
  static const char here = 0;
  Dl_info module;
  if (dladdr(&here, &module) != 0 && module.dli_fname != NULL) {
    (void)dlopen(module.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
  }
}

/* set_null(value): the sentinel of JSON null from now on, for a JSON library that has another
 * one. */
static int set_null(lua_State *L) {
  lua_settop(L, 1);
  rc_set_null(L);
  return 0;
}

/* can_yield() -> boolean: is there a coroutine that can yield, with no C function in between? */
static int can_yield(lua_State *L) {
  lua_pushboolean(L, lua_isyieldable(L));
  return 1;
}

int luaopen_rollcall_core(lua_State *L) {
  stay_loaded();
  lua_newtable(L);
  rc_failure_open(L);
  rc_record_open(L);
  rc_selection_open(L);
  rc_decoder_open(L);
  rc_ledger_open(L);
  rc_engine_open(L);
  rc_transfer_open(L);
  rc_descriptor_open(L);
  rc_terminal_open(L);
  rc_poller_open(L);
  lua_pushcfunction(L, set_null);
  lua_setfield(L, -2, "set_null");
  lua_pushcfunction(L, can_yield);
  lua_setfield(L, -2, "can_yield");
  rc_push_null(L);
  lua_setfield(L, -2, "null");
  return 1;
}
