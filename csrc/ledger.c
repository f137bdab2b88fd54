/* ledger.c - see ledger.h. */
#include "ledger.h"

#include <string.h>

#include "binding.h"
#include "options.h"
#include "record.h"

#define METATABLE "rollcall.ledger"
#define SEEN "rollcall.seen"

rc_ledger *rc_ledger_check(lua_State *L, int index) {
  return luaL_checkudata(L, index, METATABLE);
}

/* ledger:begin_body(): another body of the same page begins. */
static int ledger_begin_body(lua_State *L) {
  rc_delivery_begin_body(&rc_ledger_check(L, 1)->delivery);
  return 0;
}

/* ledger:given() -> how many users the page has given */
static int ledger_given(lua_State *L) {
  rc_push_count(L, rc_ledger_check(L, 1)->delivery.given);
  return 1;
}

/* ledger:short() -> true if the body, which has ended, is too short to tell what was given */
static int ledger_short(lua_State *L) {
  lua_pushboolean(L, rc_delivery_is_short(&rc_ledger_check(L, 1)->delivery));
  return 1;
}

/* ledger:allow(n): the page gives at most n users in all. */
static int ledger_allow(lua_State *L) {
  rc_ledger *ledger = rc_ledger_check(L, 1);
  const lua_Number n = luaL_checknumber(L, 2);
  ledger->allowance = n < 0 ? 0 : n < 9007199254740992.0 ? (uint64_t)n : UINT64_MAX;
  return 0;
}

/* ledger:take(record) -> true: it counts as given now; false: it was given before; nil: it cannot
 * be told. For records that did not come by transfer:next. */
static int ledger_take(lua_State *L) {
  rc_ledger *ledger = rc_ledger_check(L, 1);
  rc_object object;
  rc_record_check_object(L, 2, &object);
  const rc_verdict verdict = rc_delivery_judge(&ledger->delivery, &object);
  if (verdict == RC_CONFLICT) {
    return rc_answer_nil(L);
  }
  if (verdict == RC_GIVE) {
    rc_delivery_gave(&ledger->delivery);
  }
  lua_pushboolean(L, verdict == RC_GIVE);
  return 1;
}

/* ledger:save(most, less_last) -> a string that ledger{ saved = } takes, with the ids' hashes if
 * they are at most `most`; less_last: as it was before the last user given */
static int ledger_save(lua_State *L) {
  const rc_ledger *ledger = rc_ledger_check(L, 1);
  const lua_Number n = luaL_checknumber(L, 2);
  const size_t most = n >= 0 && n < 1e6 ? (size_t)n : 0;
  const bool less_last = lua_toboolean(L, 3) && ledger->delivery.given > 0;
  const size_t size = rc_delivery_saved_size(&ledger->delivery, most, less_last);
  char *text = lua_newuserdatauv(L, size, 0);
  if (rc_delivery_saved_size(&ledger->delivery, most, less_last) != size) {
    return luaL_error(L, "save: a finalizer changed the ledger");
  }
  rc_delivery_save(&ledger->delivery, most, less_last, text);
  lua_pushlstring(L, text, size);
  return 1;
}

static int ledger_gc(lua_State *L) {
  rc_delivery_clear(&rc_ledger_check(L, 1)->delivery);
  return 0;
}

/* ledger{ id = pointer, saved = string? } -> ledger | nil if `saved` is ill-formed */
static int ledger_new(lua_State *L) {
  static const char *const known[] = {"id", "saved", NULL};
  lua_settop(L, 1);
  rc_options_check(L, 1, "ledger", known);
  const char *id = rc_options_string(L, 1, "ledger", "id");
  const size_t id_length = id != NULL ? strlen(id) : RC_DELIVERY_ID_SIZE;
  if (id_length >= RC_DELIVERY_ID_SIZE) {
    return luaL_error(L, "ledger: id: expected a JSON Pointer of at most 127 bytes");
  }
  rc_ledger *ledger = lua_newuserdatauv(L, sizeof *ledger, 0);
  const char *problem = rc_delivery_init(&ledger->delivery, id, id_length);
  if (problem != NULL) {
    return luaL_error(L, "ledger: id: JSON Pointer \"%s\": %s", id, problem);
  }
  ledger->allowance = UINT64_MAX;
  luaL_getmetatable(L, METATABLE);
  lua_setmetatable(L, -2);
  rc_options_push(L, 1, "saved");
  if (!lua_isnil(L, -1)) {
    size_t length;
    if (lua_type(L, -1) != LUA_TSTRING) {
      return luaL_error(L, "ledger: saved: expected a string, got %s", luaL_typename(L, -1));
    }
    const char *saved = lua_tolstring(L, -1, &length);
    if (!rc_delivery_load(&ledger->delivery, saved, length)) {
      return rc_answer_nil(L);
    }
  }
  lua_pop(L, 1);
  return 1;
}

/* seen() -> a set of strings, by hash */
static int seen_new(lua_State *L) {
  rc_seen *seen = lua_newuserdatauv(L, sizeof *seen, 0);
  memset(seen, 0, sizeof *seen);
  luaL_getmetatable(L, SEEN);
  lua_setmetatable(L, -2);
  return 1;
}

/* seen:add(text) -> true if it is new */
static int seen_add(lua_State *L) {
  rc_seen *seen = luaL_checkudata(L, 1, SEEN);
  size_t length;
  const char *text = luaL_checklstring(L, 2, &length);
  const uint64_t hash = rc_hash(text, length);
  const bool is_new = !rc_seen_has(seen, hash);
  if (is_new && !rc_seen_add(seen, hash)) {
    return luaL_error(L, "not enough memory");
  }
  lua_pushboolean(L, is_new);
  return 1;
}

/* seen:has(text) -> boolean */
static int seen_has(lua_State *L) {
  const rc_seen *seen = luaL_checkudata(L, 1, SEEN);
  size_t length;
  const char *text = luaL_checklstring(L, 2, &length);
  lua_pushboolean(L, rc_seen_has(seen, rc_hash(text, length)));
  return 1;
}

static int seen_gc(lua_State *L) {
  rc_seen_clear(luaL_checkudata(L, 1, SEEN));
  return 0;
}

void rc_ledger_open(lua_State *L) {
  static const luaL_Reg ledger_methods[] = {{"begin_body", ledger_begin_body},
                                            {"given", ledger_given},
                                            {"short", ledger_short},
                                            {"allow", ledger_allow},
                                            {"take", ledger_take},
                                            {"save", ledger_save},
                                            {NULL, NULL}};
  static const luaL_Reg seen_methods[] = {{"add", seen_add}, {"has", seen_has}, {NULL, NULL}};
  static const luaL_Reg functions[] = {{"ledger", ledger_new}, {"seen", seen_new}, {NULL, NULL}};
  rc_new_metatable(L, METATABLE, ledger_methods, ledger_gc);
  rc_new_metatable(L, SEEN, seen_methods, seen_gc);
  luaL_setfuncs(L, functions, 0);
}
