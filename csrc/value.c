/* value.c - see value.h. The text was validated when it arrived, so nothing is checked twice here.
 * Recursion is bounded by the nesting limit that the validator kept. */
#include "value.h"

#include <limits.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

typedef struct reader {
  lua_State *L;
  const char *p; /* on the next byte; the text's last bracket ends every loop */
  rc_nulls nulls;
} reader;

/* Its address is the key of the state's own sentinel, in the registry. */
static const char null_key = 0;

void rc_push_null(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &null_key);
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    lua_pushlightuserdata(L, NULL);
  }
}

void rc_set_null(lua_State *L) {
  lua_rawsetp(L, LUA_REGISTRYINDEX, &null_key);
}

void rc_push_string(lua_State *L, const char *bytes, size_t length, bool escaped) {
  char small[512];
  if (!escaped) {
    lua_pushlstring(L, bytes, length);
  } else if (length <= sizeof small) {
    lua_pushlstring(L, small, rc_json_unescape(small, bytes, length));
  } else {
    char *scratch = lua_newuserdatauv(L, length, 0);
    lua_pushlstring(L, scratch, rc_json_unescape(scratch, bytes, length));
    lua_remove(L, -2);
  }
}

/* A number that is not for the fast path: by Lua's own conversion, which knows its integers. */
static void push_number_text(lua_State *L, const char *text, size_t length) {
  lua_pushlstring(L, text, length);
#if LUA_VERSION_NUM >= 503
  const bool is_read = lua_stringtonumber(L, lua_tostring(L, -1)) != 0;
#else
  const bool is_read = lua_isnumber(L, -1);
  if (is_read) {
    lua_pushnumber(L, lua_tonumber(L, -1));
  }
#endif
  if (!is_read) {
    /* Lua gives up on long ones in a locale with another decimal point, LuaJIT on a million
     * digits. */
    const char *const point = memchr(text, '.', length);
    const size_t whole = point != NULL ? (size_t)(point - text) : length;
    char *scratch = lua_newuserdatauv(L, length + MB_LEN_MAX + 1, 0);
    /* Only now: a finalizer may have changed the locale. One character, of at most MB_LEN_MAX
     * bytes. */
    const char *const local = localeconv()->decimal_point;
    const size_t local_length = strlen(local) < MB_LEN_MAX ? strlen(local) : MB_LEN_MAX;
    memcpy(scratch, text, whole);
    char *to = scratch + whole;
    if (point != NULL) {
      memcpy(to, local, local_length);
      to += local_length;
      memcpy(to, point + 1, length - whole - 1);
      to += length - whole - 1;
    }
    *to = '\0';
    lua_pushnumber(L, strtod(scratch, NULL));
    lua_remove(L, -2);
  }
  lua_remove(L, -2);
}

int64_t rc_read_integer(const char *text, size_t length) {
  const bool negative = text[0] == '-';
  int64_t n = 0;
  for (size_t i = negative ? 1 : 0; i < length; i++) {
    n = n * 10 + (text[i] - '0');
  }
  return negative ? -n : n;
}

static void push_number(lua_State *L, const char *text, size_t length, bool integer) {
  const bool negative = text[0] == '-';
  const size_t digits = negative ? length - 1 : length;
  if (!integer || digits > RC_QUICK_DIGITS) {
    push_number_text(L, text, length);
    return;
  }
  if (negative && text[1] == '0') {
    lua_pushnumber(L, -0.0); /* no integer has that sign */
    return;
  }
#if LUA_VERSION_NUM >= 503
  lua_pushinteger(L, rc_read_integer(text, length));
#else
  lua_pushnumber(L, (lua_Number)rc_read_integer(text, length));
#endif
}

static void skip_space(reader *r) {
  while (*r->p == ' ' || *r->p == '\n' || *r->p == '\r' || *r->p == '\t') {
    r->p++;
  }
}

/* Moves past the string whose opening quote p stands on, and pushes it. */
static void read_string(reader *r) {
  const char *const start = ++r->p;
  bool escaped = false;
  while (*r->p != '"') {
    if (*r->p == '\\') {
      escaped = true;
      r->p++;
    }
    r->p++;
  }
  rc_push_string(r->L, start, (size_t)(r->p - start), escaped);
  r->p++;
}

static void read_number(reader *r) {
  const char *const start = r->p;
  bool integer = true;
  for (;; r->p++) {
    const char c = *r->p;
    if (c == '.' || c == 'e' || c == 'E' || c == '+') {
      integer = false;
    } else if (c != '-' && (c < '0' || c > '9')) {
      break;
    }
  }
  push_number(r->L, start, (size_t)(r->p - start), integer);
}

static void read_value(reader *r, bool in_array);

static void read_array(reader *r) {
  int index = 0;
  lua_newtable(r->L);
  r->p++;
  skip_space(r);
  while (*r->p != ']') {
    read_value(r, true);
    lua_rawseti(r->L, -2, ++index);
    skip_space(r);
    if (*r->p == ',') {
      r->p++;
      skip_space(r);
    }
  }
  r->p++;
}

static void read_object(reader *r) {
  lua_newtable(r->L);
  r->p++;
  skip_space(r);
  while (*r->p != '}') {
    read_string(r);
    skip_space(r);
    r->p++; /* ':' */
    skip_space(r);
    read_value(r, false);
    lua_rawset(r->L, -3);
    skip_space(r);
    if (*r->p == ',') {
      r->p++;
      skip_space(r);
    }
  }
  r->p++;
}

static void read_value(reader *r, bool in_array) {
  lua_State *L = r->L;
  switch (*r->p) {
  case '"':
    read_string(r);
    return;
  case '{':
    luaL_checkstack(L, 6, "JSON nested too deep");
    read_object(r);
    return;
  case '[':
    luaL_checkstack(L, 6, "JSON nested too deep");
    read_array(r);
    return;
  case 't':
    r->p += 4;
    lua_pushboolean(L, 1);
    return;
  case 'f':
    r->p += 5;
    lua_pushboolean(L, 0);
    return;
  case 'n':
    r->p += 4;
    if (in_array || r->nulls == RC_NULLS_KEPT) {
      rc_push_null(L);
    } else {
      lua_pushnil(L);
    }
    return;
  default:
    read_number(r);
  }
}

void rc_push_value(lua_State *L, rc_span text, rc_nulls nulls) {
  switch (text.type) {
  case RC_JSON_NULL:
    if (nulls == RC_NULLS_KEPT) {
      rc_push_null(L);
    } else {
      lua_pushnil(L);
    }
    return;
  case RC_JSON_FALSE:
  case RC_JSON_TRUE:
    lua_pushboolean(L, text.type == RC_JSON_TRUE);
    return;
  case RC_JSON_NUMBER:
    push_number(L, text.bytes, text.length, (text.flags & RC_JSON_INTEGER) != 0);
    return;
  case RC_JSON_STRING:
    rc_push_string(L, text.bytes + 1, text.length - 2, (text.flags & RC_JSON_ESCAPED) != 0);
    return;
  case RC_JSON_ARRAY:
  case RC_JSON_OBJECT:
    read_value(&(reader){L, text.bytes, nulls}, false);
    return;
  }
}
