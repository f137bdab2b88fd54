/* record.c - see record.h.
 *
 * A record's memory is its header, its fields and its bytes, in this order, in one userdata: no
 * pointer to anything, no finalizer. Its metatable is its type: what common field names mean for
 * it. All types are known to the registry, which is how a record is told from other userdata.
 */
#include "record.h"

#include <string.h>

#include "binding.h"
#include "pointer.h"
#include "value.h"

struct rc_record {
  uint32_t field_count;
  uint32_t length; /* of the bytes after the fields */
  rc_field fields[];
};

/* Keys in the registry: a weak-keyed table whose keys are all the types, and the plain type. */
static const char types_key = 0;
static const char plain_type_key = 0;

static rc_object record_object(const rc_record *r) {
  const char *bytes = (const char *)(r->fields + r->field_count);
  return (rc_object){bytes, r->length, r->field_count, r->fields};
}

rc_record *rc_record_push_empty(lua_State *L, uint32_t field_count, uint32_t length) {
  const size_t most = (size_t)-1 / 2;
  if (length > most - sizeof(rc_record) ||
      field_count > (most - sizeof(rc_record) - length) / sizeof(rc_field)) {
    luaL_error(L, "a record of %d fields is too large", (int)field_count);
  }
  return lua_newuserdatauv(L, sizeof(rc_record) + field_count * sizeof(rc_field) + length, 0);
}

void rc_record_fill(lua_State *L, rc_record *r, const rc_object *object, int type) {
  const size_t index_size = object->field_count * sizeof(rc_field);
  r->field_count = object->field_count;
  r->length = object->length;
  memcpy(r->fields, object->fields, index_size);
  memcpy((char *)r->fields + index_size, object->bytes, object->length);
  lua_pushvalue(L, type);
  lua_setmetatable(L, -2);
}

/* Is what stands at the index a type? */
static bool is_type(lua_State *L, int index) {
  index = lua_absindex(L, index);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &types_key);
  lua_pushvalue(L, index);
  lua_rawget(L, -2);
  const bool known = lua_toboolean(L, -1);
  lua_pop(L, 2);
  return known;
}

void rc_record_check_type(lua_State *L, int index) {
  if (!is_type(L, index)) {
    luaL_error(L, "record: expected a type made by record_type, got %s", luaL_typename(L, index));
  }
}

static const rc_record *check_record(lua_State *L, int index) {
  const rc_record *r = lua_touserdata(L, index);
  if (r != NULL && lua_getmetatable(L, index)) {
    const bool marked = is_type(L, -1);
    lua_pop(L, 1);
    if (marked) {
      return r;
    }
  }
  luaL_argerror(L, index, lua_pushfstring(L, "expected a user, got %s", luaL_typename(L, index)));
  return NULL;
}

void rc_record_check_object(lua_State *L, int index, rc_object *object) {
  *object = record_object(check_record(L, index));
}

static void push_field(lua_State *L, const rc_record *r, const char *name, size_t length) {
  const rc_object object = record_object(r);
  const rc_field *field = rc_field_find(&object, name, length);
  if (field == NULL) {
    lua_pushnil(L);
  } else {
    rc_push_value(L, rc_field_value(&object, field), RC_NULLS_OMITTED);
  }
}

/* Pushes what the JSON Pointer on top leads to in the record, nil for nothing. */
static void push_at(lua_State *L, const rc_record *r) {
  size_t length;
  const char *text = lua_tolstring(L, -1, &length);
  /* By far the most common: one segment without an escape. */
  if (length > 1 && text[0] == '/' && memchr(text + 1, '/', length - 1) == NULL &&
      memchr(text, '~', length) == NULL) {
    push_field(L, r, text + 1, length - 1);
    return;
  }
  rc_pointer pointer;
  const char *problem = rc_push_pointer(L, -1, &pointer);
  if (problem != NULL) {
    luaL_error(L, "JSON Pointer \"%s\": %s", text, problem);
  }
  const rc_object object = record_object(r);
  rc_span found;
  if (rc_field_find_at(&object, &pointer, &found)) {
    rc_push_value(L, found, RC_NULLS_OMITTED);
  } else {
    lua_pushnil(L);
  }
  lua_remove(L, -2);
}

/* What __index knows of its type. */
typedef struct type_info {
  const void *type;      /* the table, as lua_topointer gives it */
  uint64_t common_names; /* the filter of the common fields' names, see name_bit */
} type_info;

/* A name's bit in a one-word Bloom filter of the common names: most names that a script reads are
 * not among them, and skip the look-up. */
static uint64_t name_bit(const char *name, size_t length) {
  const uint32_t tag = rc_field_name_tag(name, length);
  return (uint64_t)1 << ((tag ^ tag >> 16 ^ tag >> 23) & 63u);
}

/* Pushes the common field whose rule is on top: a JSON Pointer, a function of the record, or a
 * table whose [1] is a constant. false: it is none of these. */
static bool push_common(lua_State *L, const rc_record *r) {
  switch (lua_type(L, -1)) {
  case LUA_TSTRING:
    push_at(L, r);
    return true;
  case LUA_TFUNCTION:
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    return true;
  case LUA_TTABLE:
    lua_rawgeti(L, -1, 1);
    return true;
  default:
    return false;
  }
}

/* record[name] -> value | nil; __index. Upvalues: a type_info, the common fields, the type itself
 * (which keeps it alive). */
static int record_index(lua_State *L) {
  const type_info *info = lua_touserdata(L, lua_upvalueindex(1));
  const rc_record *r = lua_touserdata(L, 1);
  if (r == NULL || !lua_getmetatable(L, 1) || lua_topointer(L, -1) != info->type) {
    r = check_record(L, 1);
  }
  if (lua_type(L, 2) != LUA_TSTRING) {
    return 0;
  }
  size_t length;
  const char *name = lua_tolstring(L, 2, &length);
  if ((info->common_names & name_bit(name, length)) != 0) {
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(2));
    if (push_common(L, r)) {
      return 1;
    }
  }
  push_field(L, r, name, length);
  return 1;
}

/* record[name] = value raises; __newindex. */
static int record_newindex(lua_State *L) {
  return luaL_error(L, "a user is read-only; rollcall.totable makes a table of it");
}

/* json(record) -> string: its text as it came; __tostring, too. */
static int record_json(lua_State *L) {
  const rc_object object = record_object(check_record(L, 1));
  lua_pushlstring(L, object.bytes, object.length);
  return 1;
}

static void push_table(lua_State *L, const rc_record *r, rc_nulls nulls) {
  const rc_object object = record_object(r);
  luaL_checkstack(L, 8, "a record as a table");
  lua_createtable(L, 0, r->field_count < 1024 ? (int)r->field_count : 1024);
  for (uint32_t i = 0; i < r->field_count; i++) {
    const rc_field *field = &r->fields[i];
    rc_push_string(L, object.bytes + field->name, rc_field_name_length(&object, field),
                   (field->tag & RC_FIELD_NAME_ESCAPED) != 0);
    rc_push_value(L, rc_field_value(&object, field), nulls);
    lua_rawset(L, -3);
  }
}

/* totable(record) -> table, with the null sentinel for nulls. */
static int record_totable(lua_State *L) {
  push_table(L, check_record(L, 1), RC_NULLS_KEPT);
  return 1;
}

/* pairs(record) -> next, table, nil: the record's own fields that are not null; __pairs, too. */
static int record_pairs(lua_State *L) {
  const rc_record *r = check_record(L, 1);
  lua_pushvalue(L, lua_upvalueindex(1));
  push_table(L, r, RC_NULLS_OMITTED);
  lua_pushnil(L);
  return 3;
}

/* at(record, pointer) -> value | nil */
static int record_at(lua_State *L) {
  const rc_record *r = check_record(L, 1);
  luaL_checkstring(L, 2);
  lua_settop(L, 2);
  push_at(L, r);
  return 1;
}

static void push_pairs(lua_State *L) {
  lua_getglobal(L, "next");
  lua_pushcclosure(L, record_pairs, 1);
}

/* The set of the names that are the keys of the table at index `common`. */
static uint64_t name_set(lua_State *L, int common) {
  uint64_t set = 0;
  lua_pushnil(L);
  while (lua_next(L, common) != 0) {
    size_t length;
    lua_pop(L, 1);
    if (lua_type(L, -1) == LUA_TSTRING) {
      const char *name = lua_tolstring(L, -1, &length);
      set |= name_bit(name, length);
    }
  }
  return set;
}

/* Pushes a new type whose common fields stand in the table at index `common`. */
static void push_type(lua_State *L, int common) {
  common = lua_absindex(L, common);
  lua_createtable(L, 0, 8);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &types_key);
  lua_pushvalue(L, -2);
  lua_pushboolean(L, 1);
  lua_rawset(L, -3);
  lua_pop(L, 1);
  type_info *info = lua_newuserdatauv(L, sizeof *info, 0);
  *info = (type_info){lua_topointer(L, -2), name_set(L, common)};
  lua_pushvalue(L, common);
  lua_pushvalue(L, -3);
  lua_pushcclosure(L, record_index, 3);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, record_newindex);
  lua_setfield(L, -2, "__newindex");
  lua_pushcfunction(L, record_json);
  lua_setfield(L, -2, "__tostring");
  push_pairs(L);
  lua_setfield(L, -2, "__pairs");
  lua_pushliteral(L, "rollcall.record");
  lua_setfield(L, -2, "__name");
  lua_pushliteral(L, "rollcall.record");
  lua_setfield(L, -2, "__metatable");
}

/* The rule on top must be a JSON Pointer, a function or a table. */
static void check_rule(lua_State *L) {
  if (lua_type(L, -1) == LUA_TSTRING) {
    rc_pointer pointer;
    const char *problem = rc_push_pointer(L, -1, &pointer);
    if (problem != NULL) {
      luaL_error(L, "record_type: JSON Pointer \"%s\": %s", lua_tostring(L, -2), problem);
    }
    lua_pop(L, 1);
  } else if (!lua_isfunction(L, -1) && !lua_istable(L, -1)) {
    luaL_error(L, "record_type: expected a JSON Pointer, a function or a table, got %s",
               luaL_typename(L, -1));
  }
}

/* record_type(common) -> type. `common` maps names to JSON Pointers, functions or { constant };
 * it is copied. */
static int record_type(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_newtable(L);
  lua_pushnil(L);
  while (lua_next(L, 1) != 0) {
    check_rule(L);
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, 2);
  }
  push_type(L, 2);
  return 1;
}

void rc_record_push_plain_type(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &plain_type_key);
}

#if LUA_VERSION_NUM < 502
/* What LuaJIT's FFI is told of a field, in one double that record_type.lua takes apart: what it is,
 * and where its text is in the record's memory. No state is kept between two calls: in between a
 * finalizer or a hook may read another record. */
#define KIND_BITS 3
#define LENGTH_BITS 18
#define MOST_LENGTH ((1u << LENGTH_BITS) - 1)
#define MOST_OFFSET (((size_t)1 << 30) - 1) /* the sum stays below 2^51, where bit.band ends */

typedef enum reading {
  READ_NOTHING, /* there is no such field, or it is null */
  READ_TEXT,
  READ_ESCAPED,
  READ_INTEGER,
  READ_TRUE,
  READ_FALSE,
  READ_BY_CORE /* anything else: core's own __index knows */
} reading;

static double place(const char *memory, rc_span text, reading kind) {
  const size_t offset = (size_t)(text.bytes - memory);
  if (offset > MOST_OFFSET || text.length > MOST_LENGTH) {
    return READ_BY_CORE;
  }
  const uint32_t low = (uint32_t)text.length << KIND_BITS | (uint32_t)kind;
  return (double)((uint64_t)offset << (KIND_BITS + LENGTH_BITS) | low);
}

static double place_of_string(const char *memory, rc_span string) {
  const rc_span inside = {string.bytes + 1, string.length - 2, string.type, string.flags};
  return place(memory, inside, (string.flags & RC_JSON_ESCAPED) != 0 ? READ_ESCAPED : READ_TEXT);
}

static double place_of_number(const char *memory, rc_span number) {
  const bool is_negative_zero = number.bytes[0] == '-' && number.bytes[1] == '0';
  if ((number.flags & RC_JSON_INTEGER) == 0 || number.length > RC_QUICK_DIGITS ||
      is_negative_zero) {
    return READ_BY_CORE;
  }
  return place(memory, number, READ_INTEGER);
}

/* What the field of this name is, and where. */
static double read_field(const void *memory, const char *name, size_t length) {
  const rc_object object = record_object(memory);
  const rc_field *field = rc_field_find(&object, name, length);
  if (field == NULL) {
    return READ_NOTHING;
  }
  const rc_span value = rc_field_value(&object, field);
  switch (value.type) {
  case RC_JSON_NULL:
    return READ_NOTHING;
  case RC_JSON_STRING:
    return place_of_string(memory, value);
  case RC_JSON_NUMBER:
    return place_of_number(memory, value);
  case RC_JSON_TRUE:
    return READ_TRUE;
  case RC_JSON_FALSE:
    return READ_FALSE;
  default:
    return READ_BY_CORE;
  }
}

static double read_integer(const void *memory, double offset, int length) {
  return (double)rc_read_integer((const char *)memory + (size_t)offset, (size_t)length);
}

/* Writes the text without its escapes to `text`, which has room for `length` bytes; returns how
 * long it is. */
static int read_escaped(const void *memory, double offset, int length, char *text) {
  return (int)rc_json_unescape(text, (const char *)memory + (size_t)offset, (size_t)length);
}

/* What the userdata core.reader is: record_type.lua declares the same. */
typedef struct reader {
  double (*field)(const void *memory, const char *name, size_t length);
  double (*integer)(const void *memory, double offset, int length);
  int (*escaped)(const void *memory, double offset, int length, char *text);
} reader;

/* Sets `reader` in the table on top. */
static void set_reader(lua_State *L) {
  reader *functions = lua_newuserdata(L, sizeof *functions);
  *functions = (reader){read_field, read_integer, read_escaped};
  lua_setfield(L, -2, "reader");
}
#endif

void rc_record_open(lua_State *L) {
  static const luaL_Reg functions[] = {{"record_type", record_type},
                                       {"json", record_json},
                                       {"totable", record_totable},
                                       {"at", record_at},
                                       {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
  push_pairs(L);
  lua_setfield(L, -2, "pairs");
#if LUA_VERSION_NUM < 502
  set_reader(L);
#endif

  lua_rawgetp(L, LUA_REGISTRYINDEX, &types_key);
  if (lua_isnil(L, -1)) { /* on a second load, earlier types stay types */
    lua_newtable(L);
    lua_newtable(L);
    lua_pushliteral(L, "k");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &types_key);
  }
  lua_pop(L, 1);

  lua_newtable(L);
  push_type(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &plain_type_key);
  lua_pop(L, 1);
}
