/* decoder.c - see decoder.h.
 *
 * Besides its memory a decoder has one Lua table, its user value: at [1] the type of its records,
 * and for each captured pointer its position.
 *
 * next and values run once a record, so they use rc_check_self, which saves luaL_checkudata's
 * look-up by name; all others use luaL_checkudata. */
#include "decoder.h"

#include <string.h>

#include "binding.h"
#include "failure.h"
#include "options.h"
#include "pointer.h"
#include "record.h"
#include "selection.h"
#include "value.h"

#define METATABLE "rollcall.decoder"
#define GONE "the decoder is closed"

static bool is_open(const rc_decoder *decoder) {
  return decoder->items != NULL && !decoder->closing;
}

rc_decoder *rc_decoder_check(lua_State *L, int index) {
  rc_decoder *decoder = luaL_checkudata(L, index, METATABLE);
  luaL_argcheck(L, is_open(decoder), index, GONE);
  return decoder;
}

static void push_error(lua_State *L, const rc_decoder *decoder) {
  char line[256];
  const char *code = rc_items_error_name(decoder->items);
  const uint64_t offset = rc_items_error_offset(decoder->items);
  rc_items_describe(decoder->items, line, sizeof line);
  rc_failure_push(L, "decode", line);
  lua_pushstring(L, code);
  lua_setfield(L, -2, "code");
  rc_push_count(L, offset);
  lua_setfield(L, -2, "offset");
}

static int answer(lua_State *L, const rc_decoder *decoder, bool good) {
  if (good) {
    lua_pushboolean(L, 1);
    return 1;
  }
  lua_pushnil(L);
  push_error(L, decoder);
  return 2;
}

/* decoder:feed(bytes) -> true | nil, err */
static int decoder_feed(lua_State *L) {
  size_t length;
  const char *bytes = luaL_checklstring(L, 2, &length);
  rc_decoder *decoder = rc_decoder_check(L, 1); /* last: making a string may run a finalizer */
  return answer(L, decoder, rc_items_feed(decoder->items, bytes, length));
}

/* decoder:finish() -> true | nil, err */
static int decoder_finish(lua_State *L) {
  rc_decoder *decoder = rc_decoder_check(L, 1);
  return answer(L, decoder, rc_items_finish(decoder->items));
}

/* Is there an item that waits? */
static bool peek(const rc_decoder *decoder, rc_item *item) {
  return is_open(decoder) && rc_items_peek(decoder->items, item);
}

/* The same, after Lua allocated: a finalizer may have closed the decoder, fed it, or taken the item
 * that was seen before. */
static bool peek_again(const rc_decoder *decoder, const rc_item *seen, rc_item *item) {
  return peek(decoder, item) && item->offset == seen->offset;
}

/* Pushes the item that was seen as a record; false if it is gone. */
static bool push_record(lua_State *L, int index, const rc_decoder *decoder, const rc_item *seen) {
  rc_item item;
  lua_getiuservalue(L, index, 1);
  lua_rawgeti(L, -1, 1);
  rc_record *record = rc_record_push_empty(L, seen->object.field_count, seen->object.length);
  if (!peek_again(decoder, seen, &item)) {
    return false;
  }
  rc_record_fill(L, record, &item.object, -2);
  return true;
}

bool rc_decoder_push_next(lua_State *L, int index, rc_decoder *decoder) {
  rc_item item;
  if (!peek(decoder, &item) || !push_record(L, index, decoder, &item)) {
    return false;
  }
  rc_items_take(decoder->items);
  return true;
}

bool rc_decoder_push_values(lua_State *L, int index, rc_decoder *decoder, int selection) {
  rc_item seen;
  rc_item item;
  if (!peek(decoder, &seen)) {
    return false;
  }
  if (!rc_selection_push(L, selection, &seen.object)) {
    if (!push_record(L, index, decoder, &seen)) {
      return false;
    }
    rc_selection_push_of_record(L, selection, lua_gettop(L));
  }
  if (!peek_again(decoder, &seen, &item)) {
    return false;
  }
  rc_items_take(decoder->items);
  return true;
}

/* What `next` and `values` return when no item waits: nil | nil, err */
static int nothing_more(lua_State *L, const rc_decoder *decoder) {
  lua_pushnil(L);
  if (!is_open(decoder) || rc_items_failure(decoder->items) == RC_ITEMS_OK) {
    return 1;
  }
  push_error(L, decoder);
  return 2;
}

/* decoder:next() -> record | nil | nil, err */
static int decoder_next(lua_State *L) {
  rc_decoder *decoder = rc_check_self(L, METATABLE);
  rc_item item;
  luaL_argcheck(L, is_open(decoder), 1, GONE);
  do {
    lua_settop(L, 1);
    if (rc_decoder_push_next(L, 1, decoder)) {
      return 1;
    }
  } while (peek(decoder, &item));
  return nothing_more(L, decoder);
}

/* decoder:values(selection) -> true, value… of the next record | nil | nil, err */
static int decoder_values(lua_State *L) {
  rc_decoder *decoder = rc_check_self(L, METATABLE);
  const int size = rc_selection_size(rc_selection_check(L, 2));
  rc_item item;
  luaL_argcheck(L, is_open(decoder), 1, GONE);
  luaL_checkstack(L, size + LUA_MINSTACK, "too many values");
  do {
    lua_settop(L, 2);
    if (rc_decoder_push_values(L, 1, decoder, 2)) {
      return size;
    }
  } while (peek(decoder, &item));
  return nothing_more(L, decoder);
}

static void release(rc_decoder *decoder) {
  rc_items *items = decoder->items;
  decoder->items = NULL;
  rc_items_free(items);
}

typedef enum form { VALUES, NUMBERS_AS_TEXT, AS_JSON } form;

static form form_of(lua_State *L, int index) {
  static const char *const names[] = {"", "text", "json", NULL};
  return (form)luaL_checkoption(L, index, "", names);
}

/* Pushes a value in this form. */
static void push_plain(lua_State *L, rc_span span, form as) {
  if (as == AS_JSON || (as == NUMBERS_AS_TEXT && span.type == RC_JSON_NUMBER)) {
    lua_pushlstring(L, span.bytes, span.length);
  } else {
    rc_push_value(L, span, RC_NULLS_KEPT);
  }
}

/* The same for text that belongs to the decoder. */
static void push_pinned(lua_State *L, rc_decoder *decoder, rc_span span, form as) {
  decoder->pins++;
  push_plain(L, span, as);
  decoder->pins--; /* if that raised, it stays pinned until it is collected */
  if (decoder->closing && decoder->pins == 0) {
    release(decoder);
  }
}

/* decoder:captured(pointer, form) -> value | null | nil for none. `form` is "text" for numbers as
 * they stand in the document, which a double might not hold; "json" for every value so. */
static int decoder_captured(lua_State *L) {
  luaL_checkstring(L, 2);
  const form as = form_of(L, 3);
  rc_decoder *decoder = rc_decoder_check(L, 1);
  lua_getiuservalue(L, 1, 1);
  lua_pushvalue(L, 2);
  lua_rawget(L, -2);
  if (!lua_isnumber(L, -1)) {
    return luaL_error(L, "captured: \"%s\" is not among this decoder's captures",
                      lua_tostring(L, 2));
  }
  const rc_capture *capture = rc_items_captured(decoder->items, (unsigned)lua_tointeger(L, -1));
  if (!capture->found) {
    return rc_answer_nil(L);
  }
  const rc_span span = {capture->bytes, capture->length, capture->type, capture->flags};
  push_pinned(L, decoder, span, as);
  return 1;
}

/* decoder:found() -> how many records there were, taken or not. */
static int decoder_found(lua_State *L) {
  rc_push_count(L, rc_items_found(rc_decoder_check(L, 1)->items));
  return 1;
}

/* Pushes a text made of a mark and a hash. */
static void push_marked(lua_State *L, unsigned mark, uint64_t hash) {
  char text[1 + sizeof hash];
  text[0] = (char)mark;
  memcpy(text + 1, &hash, sizeof hash);
  lua_pushlstring(L, text, sizeof text);
}

/* decoder:opening() -> how many records are in it, at most 16; a text for the id of the first; a
 * text for the ids of all, in their order, which is never one of the former; the bytes that wait to
 * be taken. */
static int decoder_opening(lua_State *L) {
  const rc_decoder *decoder = rc_decoder_check(L, 1);
  const rc_opening opening = rc_items_opening(decoder->items);
  const uint64_t waiting = rc_items_waiting(decoder->items);
  lua_pushinteger(L, (lua_Integer)opening.count);
  push_marked(L, RC_ITEMS_OPENING + 1, opening.first);
  push_marked(L, opening.count, opening.all);
  rc_push_count(L, waiting);
  return 4;
}

/* decoder:edge(which, pointer, form) -> the value at the pointer in the "first" or the "last"
 * record found, as `captured` gives it; nil for none. For a decoder with `edges`. */
static int decoder_edge(lua_State *L) {
  static const char *const names[] = {"first", "last", NULL};
  rc_decoder *decoder = rc_decoder_check(L, 1);
  const bool last = luaL_checkoption(L, 2, NULL, names) == 1;
  luaL_checkstring(L, 3);
  const form as = form_of(L, 4);
  lua_settop(L, 4);
  rc_pointer pointer;
  const char *problem = rc_push_pointer(L, 3, &pointer);
  luaL_argcheck(L, problem == NULL, 3, problem);
  /* A copy: whenever Lua allocates, a finalizer may feed the decoder, and the edge moves. */
  rc_span item = {.type = RC_JSON_OBJECT};
  const char *bytes;
  size_t room = 0;
  char *own = NULL;
  for (;;) {
    luaL_argcheck(L, is_open(decoder), 1, GONE);
    bytes = rc_items_edge(decoder->items, last, &item.length);
    if (own != NULL && item.length <= room) {
      break;
    }
    room = item.length;
    lua_settop(L, 5);
    own = lua_newuserdatauv(L, room + 1, 0);
  }
  if (bytes == NULL) {
    return rc_answer_nil(L);
  }
  item.bytes = memcpy(own, bytes, item.length);
  rc_span found;
  if (!rc_pointer_find(&pointer, 0, item, &found)) {
    return rc_answer_nil(L);
  }
  push_plain(L, found, as);
  return 1;
}

/* decoder:document() -> the text of a short document that has ended without items, or what had come
 * of one with something other than an array in its place; nil for any other. */
static int decoder_document(lua_State *L) {
  size_t length;
  const char *text = rc_items_document(rc_decoder_check(L, 1)->items, &length);
  if (text == NULL) {
    return rc_answer_nil(L);
  }
  /* A finalizer may feed or close the decoder before Lua copies. */
  char copy[RC_ITEMS_DOCUMENT_SIZE];
  memcpy(copy, text, length);
  lua_pushlstring(L, copy, length);
  return 1;
}

/* decoder:close(): frees its memory at once. */
static int decoder_close(lua_State *L) {
  rc_decoder *decoder = luaL_checkudata(L, 1, METATABLE);
  if (decoder->pins > 0) {
    decoder->closing = true;
  } else {
    release(decoder);
  }
  return 0;
}

static int decoder_gc(lua_State *L) {
  release(luaL_checkudata(L, 1, METATABLE));
  return 0;
}

/* Raises unless the text, a value of this option, is a JSON Pointer. */
static void check_pointer(lua_State *L, const char *option, const char *text, size_t length) {
  rc_pointer pointer;
  lua_pushlstring(L, text, length);
  const char *problem = rc_push_pointer(L, -1, &pointer);
  if (problem != NULL) {
    luaL_error(L, "decoder: %s: \"%s\": %s", option, text, problem);
  }
  lua_pop(L, 2);
}

/* Raises what rc_items_new found wrong with one of its pointers, and names that. */
static int raise_bad_pointer(lua_State *L, const rc_items_options *options, const char *problem) {
  check_pointer(L, "items", options->pointer, options->pointer_length);
  if (options->id != NULL) {
    check_pointer(L, "id", options->id, options->id_length);
  }
  for (unsigned i = 0; i < options->capture_count; i++) {
    check_pointer(L, "capture", options->captures[i], options->capture_lengths[i]);
  }
  return luaL_error(L, "decoder: %s", problem);
}

/* Reads options.capture into the arrays; the strings stay alive in the table. Leaves the position
 * of each pointer in the table at index `positions`. */
static unsigned check_captures(lua_State *L, int options, int positions, const char **captures,
                               size_t *lengths) {
  unsigned count = 0;
  rc_options_push(L, options, "capture");
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    return 0;
  }
  if (!lua_istable(L, -1)) {
    luaL_error(L, "decoder: capture: expected a list of JSON Pointers, got %s",
               luaL_typename(L, -1));
  }
  for (;;) {
    lua_rawgeti(L, -1, (int)count + 1);
    if (lua_isnil(L, -1)) {
      break;
    }
    if (count == RC_ITEMS_CAPTURES) {
      luaL_error(L, "decoder: capture: expected at most %d JSON Pointers", RC_ITEMS_CAPTURES);
    }
    if (lua_type(L, -1) != LUA_TSTRING) {
      luaL_error(L, "decoder: capture: %d: expected a JSON Pointer, got %s", (int)count + 1,
                 luaL_typename(L, -1));
    }
    captures[count] = lua_tolstring(L, -1, &lengths[count]);
    lua_pushinteger(L, (lua_Integer)count);
    lua_rawset(L, positions);
    count++;
  }
  lua_pop(L, 2);
  return count;
}

/* decoder{ items = pointer, capture = { pointer… }, record = type, max_bytes =, max_item =,
 * max_depth =, id = pointer, edges = boolean, containers = boolean } */
static int decoder_new(lua_State *L) {
  static const char *const known[] = {"items",     "capture", "record", "max_bytes",  "max_item",
                                      "max_depth", "id",      "edges",  "containers", NULL};
  const char *captures[RC_ITEMS_CAPTURES];
  size_t lengths[RC_ITEMS_CAPTURES];
  rc_items_options options = {0};
  lua_settop(L, 1);
  rc_options_check(L, 1, "decoder", known);
  options.max_bytes = rc_options_size(L, 1, "decoder", "max_bytes", (uint64_t)4 << 30, INT64_MAX);
  options.max_item =
      (size_t)rc_options_size(L, 1, "decoder", "max_item", (uint64_t)8 << 20, UINT32_MAX / 2);
  options.max_depth =
      (unsigned)rc_options_size(L, 1, "decoder", "max_depth", 512, RC_JSON_DEPTH_CAP);

  options.id = rc_options_string(L, 1, "decoder", "id");
  options.id_length = options.id != NULL ? strlen(options.id) : 0;
  options.edges = rc_options_boolean(L, 1, "decoder", "edges", false);
  options.containers = rc_options_boolean(L, 1, "decoder", "containers", false);

  rc_decoder *decoder = lua_newuserdatauv(L, sizeof *decoder, 1);
  *decoder = (rc_decoder){0};
  luaL_getmetatable(L, METATABLE);
  lua_setmetatable(L, -2);

  lua_newtable(L);
  rc_options_push(L, 1, "record");
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    rc_record_push_plain_type(L);
  }
  rc_record_check_type(L, -1);
  lua_rawseti(L, 3, 1);
  options.capture_count = check_captures(L, 1, 3, captures, lengths);
  lua_setiuservalue(L, 2, 1);

  rc_options_push(L, 1, "items");
  if (lua_type(L, -1) != LUA_TSTRING) {
    return luaL_error(L, "decoder: items: expected a JSON Pointer, got %s", luaL_typename(L, -1));
  }
  options.pointer = lua_tolstring(L, -1, &options.pointer_length);
  options.captures = captures;
  options.capture_lengths = lengths;
  const char *problem;
  decoder->items = rc_items_new(&options, &problem);
  if (problem != NULL) {
    return raise_bad_pointer(L, &options, problem);
  }
  if (decoder->items == NULL) {
    return luaL_error(L, "decoder: out of memory");
  }
  lua_settop(L, 2);
  return 1;
}

void rc_decoder_open(lua_State *L) {
  static const luaL_Reg methods[] = {{"feed", decoder_feed},
                                     {"next", decoder_next},
                                     {"values", decoder_values},
                                     {"finish", decoder_finish},
                                     {"captured", decoder_captured},
                                     {"found", decoder_found},
                                     {"opening", decoder_opening},
                                     {"edge", decoder_edge},
                                     {"document", decoder_document},
                                     {"close", decoder_close},
                                     {NULL, NULL}};
  rc_new_metatable(L, METATABLE, methods, decoder_gc);
  lua_pushcfunction(L, decoder_new);
  lua_setfield(L, -2, "decoder");
}
