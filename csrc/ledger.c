/* ledger.c - see ledger.h; and the Lua face of seen. */
#include "ledger.h"

#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "record.h"

#define METATABLE "rollcall.ledger"
#define SEEN "rollcall.seen"

/* Kept apart from hashes of ids. */
#define POSITION_SALT 0xA24BAED4963EE407u

rc_ledger *rc_ledger_check(lua_State *L, int index) {
  return luaL_checkudata(L, index, METATABLE);
}

static uint64_t identify(const rc_ledger *ledger, const rc_item *item) {
  const rc_field *id =
      rc_field_find(item->bytes, item->fields, item->field_count, ledger->id, ledger->id_length);
  if (id == NULL || RC_FIELD_TYPE(id->tag) == RC_JSON_NULL) {
    return rc_hash_mix(POSITION_SALT, ledger->position);
  }
  return rc_hash(item->bytes + id->value, id->value_length);
}

rc_verdict rc_ledger_judge(rc_ledger *ledger, const rc_item *item) {
  const uint64_t hash = identify(ledger, item);
  ledger->hash = hash;
  ledger->position++;
  if (ledger->before == 0) {
    return RC_GIVE;
  }
  if (ledger->seen.count > 0) {
    return rc_seen_has(&ledger->seen, hash) ? RC_SKIP : RC_GIVE;
  }
  if (ledger->position > ledger->before) {
    return RC_GIVE;
  }
  ledger->body_fingerprint = rc_hash_mix(ledger->body_fingerprint, hash);
  if (ledger->position == ledger->before && ledger->body_fingerprint != ledger->fingerprint) {
    return RC_CONFLICT;
  }
  return RC_SKIP;
}

static bool keep(rc_ledger *ledger, uint64_t hash) {
  if (ledger->kept_count == ledger->kept_capacity) {
    const size_t capacity = ledger->kept_capacity > 0 ? ledger->kept_capacity * 2 : 128;
    uint64_t *grown = ledger->kept_count < RC_LEDGER_KEPT_MAX
                          ? realloc(ledger->kept, capacity * sizeof *grown)
                          : NULL;
    if (grown == NULL) {
      return false;
    }
    ledger->kept = grown;
    ledger->kept_capacity = capacity;
  }
  ledger->kept[ledger->kept_count++] = hash;
  return true;
}

static void forget_kept(rc_ledger *ledger) {
  free(ledger->kept);
  ledger->kept = NULL;
  ledger->kept_count = ledger->kept_capacity = 0;
}

void rc_ledger_gave(rc_ledger *ledger) {
  ledger->given++;
  ledger->fingerprint = rc_hash_mix(ledger->fingerprint, ledger->hash);
  if (ledger->all_kept && !keep(ledger, ledger->hash)) {
    ledger->all_kept = false;
    forget_kept(ledger);
  }
}

/* Another body of the same page begins. */
static void begin_body(rc_ledger *ledger) {
  ledger->position = 0;
  ledger->before = ledger->given;
  ledger->body_fingerprint = 0;
  rc_seen_clear(&ledger->seen);
  for (size_t i = 0; i < ledger->kept_count; i++) {
    if (!rc_seen_add(&ledger->seen, ledger->kept[i])) {
      rc_seen_clear(&ledger->seen); /* the fingerprint is left */
      return;
    }
  }
}

/* ledger:begin_body() */
static int ledger_begin_body(lua_State *L) {
  begin_body(rc_ledger_check(L, 1));
  return 0;
}

/* ledger:given() -> how many users the page has given */
static int ledger_given(lua_State *L) {
  rc_push_count(L, rc_ledger_check(L, 1)->given);
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
  rc_item item;
  rc_record_check_item(L, 2, &item);
  switch (rc_ledger_judge(ledger, &item)) {
  case RC_CONFLICT:
    return 0;
  case RC_SKIP:
    lua_pushboolean(L, 0);
    return 1;
  case RC_GIVE:
    break;
  }
  rc_ledger_gave(ledger);
  lua_pushboolean(L, 1);
  return 1;
}

static void put64(char *to, uint64_t n) {
  for (int i = 0; i < 8; i++) {
    to[i] = (char)(n >> (8 * i) & 0xFF);
  }
}

static uint64_t get64(const char *from) {
  uint64_t n = 0;
  for (int i = 0; i < 8; i++) {
    n |= (uint64_t)(unsigned char)from[i] << (8 * i);
  }
  return n;
}

/* ledger:save(most) -> a string that ledger{ saved = } takes: the count, the fingerprint, and the
 * ids' hashes if they are all there and at most so many. */
static int ledger_save(lua_State *L) {
  const rc_ledger *ledger = rc_ledger_check(L, 1);
  const lua_Number most = luaL_checknumber(L, 2);
  const size_t count =
      ledger->all_kept && (lua_Number)ledger->kept_count <= most ? ledger->kept_count : 0;
  char *text = lua_newuserdatauv(L, 16 + count * 8, 0);
  put64(text, ledger->given);
  put64(text + 8, ledger->fingerprint);
  for (size_t i = 0; i < count; i++) {
    put64(text + 16 + i * 8, ledger->kept[i]);
  }
  lua_pushlstring(L, text, 16 + count * 8);
  return 1;
}

/* Takes up what ledger:save wrote; false where it cannot have. */
static bool load(rc_ledger *ledger, const char *text, size_t length) {
  if (length < 16 || length % 8 != 0) {
    return false;
  }
  const uint64_t given = get64(text);
  const size_t count = (length - 16) / 8;
  if (given > (uint64_t)1 << 53 || (count > 0 && count != given)) {
    return false;
  }
  ledger->given = given;
  ledger->fingerprint = get64(text + 8);
  ledger->all_kept = count == given;
  for (size_t i = 0; i < count && ledger->all_kept; i++) {
    ledger->all_kept = keep(ledger, get64(text + 16 + i * 8));
  }
  if (!ledger->all_kept) {
    forget_kept(ledger);
  }
  begin_body(ledger);
  return true;
}

static int ledger_gc(lua_State *L) {
  rc_ledger *ledger = rc_ledger_check(L, 1);
  forget_kept(ledger);
  rc_seen_clear(&ledger->seen);
  return 0;
}

/* ledger{ id = name, saved = string? } -> ledger | nil where `saved` is none */
static int ledger_new(lua_State *L) {
  static const char *const known[] = {"id", "saved", NULL};
  lua_settop(L, 1);
  rc_options_check(L, 1, "ledger", known);
  const char *id = rc_options_string(L, 1, "ledger", "id");
  rc_ledger *ledger = lua_newuserdatauv(L, sizeof *ledger, 0);
  memset(ledger, 0, sizeof *ledger);
  ledger->allowance = UINT64_MAX;
  ledger->all_kept = true;
  luaL_getmetatable(L, METATABLE);
  lua_setmetatable(L, -2);
  ledger->id_length = id != NULL ? strlen(id) : 0;
  if (id == NULL || ledger->id_length >= sizeof ledger->id) {
    return luaL_error(L, "ledger: id: expected a name of at most 63 bytes");
  }
  memcpy(ledger->id, id, ledger->id_length);
  lua_getfield(L, 1, "saved");
  if (!lua_isnil(L, -1)) {
    size_t length;
    const char *saved = luaL_checklstring(L, -1, &length);
    if (!load(ledger, saved, length)) {
      return 0;
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

/* seen:add(text) -> true where it is new */
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

static int seen_gc(lua_State *L) {
  rc_seen_clear(luaL_checkudata(L, 1, SEEN));
  return 0;
}

void rc_ledger_open(lua_State *L) {
  static const luaL_Reg ledger_methods[] = {{"begin_body", ledger_begin_body},
                                            {"given", ledger_given},
                                            {"allow", ledger_allow},
                                            {"take", ledger_take},
                                            {"save", ledger_save},
                                            {NULL, NULL}};
  static const luaL_Reg seen_methods[] = {{"add", seen_add}, {NULL, NULL}};
  static const luaL_Reg functions[] = {{"ledger", ledger_new}, {"seen", seen_new}, {NULL, NULL}};
  rc_new_metatable(L, METATABLE, ledger_methods, ledger_gc);
  rc_new_metatable(L, SEEN, seen_methods, seen_gc);
  luaL_setfuncs(L, functions, 0);
}
