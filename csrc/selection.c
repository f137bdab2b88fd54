/* selection.c - see selection.h.
 *
 * A selection is a userdata with a rule for each of its values. What a rule refers to, the text of
 * a JSON Pointer, a function or a constant, is in the table that is its user value.
 */
#include "selection.h"

#include <string.h>

#include "binding.h"
#include "record.h"
#include "value.h"

#define METATABLE "rollcall.selection"
#define SCRATCH 1024 /* bytes of JSON that are read without a record */

static const char metatable_key = 0; /* in the registry */

typedef struct rule {
  int kind; /* LUA_TSTRING: a JSON Pointer; LUA_TFUNCTION: of the record; LUA_TTABLE: a constant */
  rc_pointer pointer;
} rule;

struct rc_selection {
  unsigned count;
  bool takes_record;
  rule rules[];
};

rc_selection *rc_selection_check(lua_State *L, int index) {
  rc_selection *selection = lua_touserdata(L, index);
  if (selection != NULL && lua_getmetatable(L, index)) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &metatable_key);
    const bool same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    if (same) {
      return selection;
    }
  }
  luaL_argerror(L, index,
                lua_pushfstring(L, "expected a selection, got %s", luaL_typename(L, index)));
  return NULL;
}

int rc_selection_size(const rc_selection *selection) {
  return (int)selection->count + 1;
}

/* Pushes the constant, or the function, of a rule. */
static void push_referred(lua_State *L, int index, unsigned number) {
  lua_getiuservalue(L, index, 1);
  lua_rawgeti(L, -1, (int)number + 1);
  lua_remove(L, -2);
}

/* Pushes what was found; nil if its bytes are NULL. */
static void push_found(lua_State *L, const rc_span *found) {
  if (found->bytes != NULL) {
    rc_push_value(L, *found, RC_NULLS_OMITTED);
  } else {
    lua_pushnil(L);
  }
}

bool rc_selection_push(lua_State *L, int index, const rc_object *object) {
  char scratch[SCRATCH];
  rc_span found[RC_SELECTION_MAX];
  const rc_selection *selection = lua_touserdata(L, index);
  size_t used = 0;
  if (selection->takes_record) {
    return false;
  }
  for (unsigned i = 0; i < selection->count; i++) {
    const rule *r = &selection->rules[i];
    if (r->kind != LUA_TSTRING || !rc_field_find_at(object, &r->pointer, &found[i])) {
      found[i].bytes = NULL;
      continue;
    }
    if (found[i].length > sizeof scratch - used) {
      return false;
    }
    found[i].bytes = memcpy(scratch + used, found[i].bytes, found[i].length);
    used += found[i].length;
  }
  lua_pushboolean(L, 1);
  for (unsigned i = 0; i < selection->count; i++) {
    if (selection->rules[i].kind == LUA_TSTRING) {
      push_found(L, &found[i]);
    } else {
      push_referred(L, index, i);
    }
  }
  return true;
}

void rc_selection_push_of_record(lua_State *L, int index, int record) {
  const rc_selection *selection = lua_touserdata(L, index);
  rc_object object;
  rc_record_check_object(L, record, &object);
  lua_pushboolean(L, 1);
  for (unsigned i = 0; i < selection->count; i++) {
    const rule *r = &selection->rules[i];
    if (r->kind == LUA_TSTRING) {
      rc_span found;
      if (!rc_field_find_at(&object, &r->pointer, &found)) {
        found.bytes = NULL;
      }
      push_found(L, &found);
      continue;
    }
    push_referred(L, index, i);
    if (r->kind == LUA_TFUNCTION) {
      lua_pushvalue(L, record);
      lua_call(L, 1, 1);
    }
  }
}

/* Reads the rule on top, and leaves what is to be kept of it in its place. */
static void read_rule(lua_State *L, rule *r, int number) {
  *r = (rule){.kind = lua_type(L, -1)};
  switch (r->kind) {
  case LUA_TSTRING: {
    const char *problem = rc_push_pointer(L, -1, &r->pointer);
    if (problem != NULL) {
      luaL_error(L, "selection: %d: JSON Pointer \"%s\": %s", number, lua_tostring(L, -2), problem);
    }
    lua_remove(L, -2);
    break;
  }
  case LUA_TFUNCTION:
    break;
  case LUA_TTABLE:
    lua_rawgeti(L, -1, 1);
    lua_remove(L, -2);
    break;
  default:
    luaL_error(L, "selection: %d: expected a JSON Pointer, a function or a table, got %s", number,
               luaL_typename(L, -1));
  }
}

/* How many rules the list at index 1 has, up to the first nil. */
static int count_rules(lua_State *L) {
  int count = 0;
  for (; count <= RC_SELECTION_MAX; count++) {
    lua_rawgeti(L, 1, count + 1);
    const bool is_end = lua_isnil(L, -1);
    lua_pop(L, 1);
    if (is_end) {
      break;
    }
  }
  if (count == 0 || count > RC_SELECTION_MAX) {
    luaL_error(L, "selection: expected a list of 1 to %d rules", RC_SELECTION_MAX);
  }
  return count;
}

/* selection(rules) -> selection. The rules are a list, as record_type has them by name. */
static int selection_new(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  const int count = count_rules(L);
  rc_selection *selection =
      lua_newuserdatauv(L, sizeof *selection + (size_t)count * sizeof(rule), 1);
  selection->count = (unsigned)count;
  selection->takes_record = false;
  lua_createtable(L, count, 0);
  for (int i = 0; i < count; i++) {
    lua_rawgeti(L, 1, i + 1);
    read_rule(L, &selection->rules[i], i + 1);
    selection->takes_record |= selection->rules[i].kind == LUA_TFUNCTION;
    lua_rawseti(L, 3, i + 1);
  }
  lua_setiuservalue(L, 2, 1);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &metatable_key);
  lua_setmetatable(L, 2);
  return 1;
}

void rc_selection_open(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &metatable_key);
  if (lua_isnil(L, -1)) { /* on a second load, earlier selections stay selections */
    lua_newtable(L);
    lua_pushliteral(L, METATABLE);
    lua_setfield(L, -2, "__name");
    lua_pushliteral(L, METATABLE);
    lua_setfield(L, -2, "__metatable");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &metatable_key);
  }
  lua_pop(L, 1);
  lua_pushcfunction(L, selection_new);
  lua_setfield(L, -2, "selection");
  lua_pushinteger(L, RC_SELECTION_MAX);
  lua_setfield(L, -2, "most_values");
  lua_pushinteger(L, RC_POINTER_SEGMENTS);
  lua_setfield(L, -2, "most_steps");
}
