/* transfer.c - see transfer.h.
 *
 * libcurl's callbacks end in the two sink functions below, which only move bytes into the decoder's
 * items: Lua is never called from them. A transfer keeps its engine, decoder and ledger alive by
 * the table that is its user value. */
#define _POSIX_C_SOURCE 200809L
#include "transfer.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "binding.h"
#include "decoder.h"
#include "engine.h"
#include "failure.h"
#include "http.h"
#include "ledger.h"
#include "options.h"
#include "selection.h"

#define TRANSFER "rollcall.transfer"

#define MAX_REQUEST_HEADERS 64
#define TICK_NS 4000000 /* of a clock that is made coarse here */

typedef struct transfer {
  rc_transfer *http;   /* owned; NULL until it is started */
  rc_engine *engine;   /* kept alive by the user value, as are decoder and ledger */
  rc_decoder *decoder; /* NULL: the body is collected */
  rc_ledger *ledger;   /* NULL: every record is given */
  size_t watermark;    /* bytes that may wait unread before the transfer pauses */
  time_t tick_seconds; /* the coarse clock, when clock_moved last read it */
  long tick_nanoseconds;
  bool cancelled;      /* its memory is freed when it is collected: a call may be reading from it */
  bool judged;         /* the ledger has seen the item that next gives now */
  bool conflict;       /* the ledger cannot tell what was given before */
  bool yields_on_tick; /* next yields every few milliseconds, for a budget to be checked */
  bool end_announced;  /* next has yielded because the last byte arrived */
  bool yielded; /* next has yielded and given nothing since (see transfer_next): it must not yield
                   now */
} transfer;

/* -- the sink: from curl, no Lua ------------------------------------------------------------ */

static bool sink_write(void *context, const char *bytes, size_t length) {
  const transfer *t = context;
  t->engine->writes++;
  return t->decoder->items != NULL && rc_items_feed(t->decoder->items, bytes, length);
}

static bool sink_full(void *context) {
  const transfer *t = context;
  const size_t waiting = t->decoder->items != NULL ? rc_items_waiting(t->decoder->items) : 0;
  return waiting > 0 && waiting >= t->watermark;
}

/* Fills `lines` from options.headers; the strings stay alive in the caller's table. */
static void check_headers(lua_State *L, int options, const char **lines) {
  int count = 0;
  rc_options_push(L, options, "headers");
  if (!lua_isnil(L, -1)) {
    if (!lua_istable(L, -1)) {
      luaL_error(L, "request: headers: expected a list of strings, got %s", luaL_typename(L, -1));
    }
    for (;;) {
      size_t length;
      lua_rawgeti(L, -1, count + 1);
      if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        break;
      }
      if (count == MAX_REQUEST_HEADERS) {
        luaL_error(L, "request: headers: expected at most %d strings", MAX_REQUEST_HEADERS);
      }
      if (lua_type(L, -1) != LUA_TSTRING) {
        luaL_error(L, "request: headers: %d: expected a string, got %s", count + 1,
                   luaL_typename(L, -1));
      }
      lines[count] = lua_tolstring(L, -1, &length);
      if (strlen(lines[count]) != length || strpbrk(lines[count], "\r\n") != NULL) {
        luaL_error(L, "request: headers: a line break or NUL in header %d", count + 1);
      }
      count++;
      lua_pop(L, 1);
    }
  }
  lua_pop(L, 1);
  lines[count] = NULL;
}

/* Reads the options at index 2 but those that are objects. Leaves the body at index 3, whose text
 * the request refers to, as it does to the options' and to `lines`. */
static void read_request(lua_State *L, rc_http_request *request,
                         const char *lines[MAX_REQUEST_HEADERS + 1]) {
  static const char *const known[] = {"method",          "url",
                                      "headers",         "body",
                                      "ca_file",         "client_cert",
                                      "client_key",      "proxy",
                                      "connect_timeout", "idle_timeout",
                                      "timeout",         "max_body",
                                      "decoder",         "ledger",
                                      "watermark",       "max_headers",
                                      "max_collected",   "fresh_connection",
                                      "ticks",           NULL};
  static const char where[] = "request";
  rc_options_check(L, 2, where, known);
  *request = (rc_http_request){
      .method = rc_options_string(L, 2, where, "method"),
      .url = rc_options_string(L, 2, where, "url"),
      .headers = lines,
      .ca_file = rc_options_string(L, 2, where, "ca_file"),
      .client_cert = rc_options_string(L, 2, where, "client_cert"),
      .client_key = rc_options_string(L, 2, where, "client_key"),
      .proxy = rc_options_string(L, 2, where, "proxy"),
      .connect_timeout_ms = rc_options_seconds(L, 2, where, "connect_timeout", 5000),
      .idle_timeout_ms = rc_options_seconds(L, 2, where, "idle_timeout", 60000),
      .timeout_ms = rc_options_seconds(L, 2, where, "timeout", 0),
      .max_body = rc_options_size(L, 2, where, "max_body", (uint64_t)4 << 30, INT64_MAX),
      .max_headers = (size_t)rc_options_size(L, 2, where, "max_headers", 64 << 10, INT32_MAX),
      .max_collected = (size_t)rc_options_size(L, 2, where, "max_collected", 1 << 20, INT32_MAX),
  };
  if (request->url == NULL) {
    luaL_error(L, "request: url: expected a string, got nil");
  }
  if (request->method == NULL) {
    request->method = "GET";
  }
  if (strpbrk(request->method, "\r\n ") != NULL) {
    luaL_error(L, "request: method: a line break or blank in it");
  }
  request->fresh_connection = rc_options_boolean(L, 2, where, "fresh_connection", false);
  check_headers(L, 2, lines);
  rc_options_push(L, 2, "body");
  if (!lua_isnil(L, 3)) {
    if (lua_type(L, 3) != LUA_TSTRING) {
      luaL_error(L, "request: body: expected a string, got %s", luaL_typename(L, 3));
    }
    request->body = lua_tolstring(L, 3, &request->body_length);
  }
}

/* Has a clock that ticks every few milliseconds ticked since the last call? If the system has a
 * coarse one, reading it costs nanoseconds. */
static bool clock_moved(transfer *t) {
  struct timespec now;
#if defined(CLOCK_MONOTONIC_COARSE)
  (void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
#else
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  now.tv_nsec -= now.tv_nsec % TICK_NS;
#endif
  const bool moved = now.tv_nsec != t->tick_nanoseconds || now.tv_sec != t->tick_seconds;
  t->tick_nanoseconds = now.tv_nsec;
  t->tick_seconds = now.tv_sec;
  return moved;
}

/* engine:request{…} -> transfer | nil, err; an error, too, if it is closed, as a finalizer may
 * close it at any time */
static int engine_request(lua_State *L) {
  const char *lines[MAX_REQUEST_HEADERS + 1];
  rc_http_request request;
  rc_engine *e = rc_engine_self(L, 1);
  lua_settop(L, 2);
  read_request(L, &request, lines);

  transfer *t = lua_newuserdatauv(L, sizeof *t, 1);
  memset(t, 0, sizeof *t);
  t->engine = e;
  t->yields_on_tick = rc_options_boolean(L, 2, "request", "ticks", false);
  t->watermark = (size_t)rc_options_size(L, 2, "request", "watermark", 512 << 10, INT32_MAX);
  luaL_getmetatable(L, TRANSFER);
  lua_setmetatable(L, 4);
  lua_createtable(L, 3, 0);
  lua_pushvalue(L, 1);
  lua_rawseti(L, 5, 1);
  rc_options_push(L, 2, "decoder");
  if (!lua_isnil(L, 6)) {
    t->decoder = rc_decoder_check(L, 6);
    request.sink.write = sink_write;
    request.sink.full = sink_full;
    request.sink.context = t;
    lua_rawseti(L, 5, 2);
  }
  lua_settop(L, 5);
  rc_options_push(L, 2, "ledger");
  if (!lua_isnil(L, 6)) {
    t->ledger = rc_ledger_check(L, 6);
    lua_rawseti(L, 5, 3);
  }
  lua_settop(L, 5);
  lua_setiuservalue(L, 4, 1);

  if (e->http == NULL) {
    lua_pushnil(L);
    rc_failure_push(L, "closed", "the engine is closed");
    return 2;
  }
  const rc_http_result result = rc_http_start(e->http, &request, &t->http);
  if (result != RC_HTTP_OK) {
    lua_pushnil(L);
    rc_failure_push(L, "network",
                    result == RC_HTTP_NOMEM
                        ? "the request could not be started: out of memory"
                        : "the request could not be started: libcurl refuses one of its options");
    return 2;
  }
  (void)clock_moved(t); /* the first tick counts from here */
  return 1;
}

/* -- transfer ------------------------------------------------------------------------------- */

static transfer *check_transfer(lua_State *L) {
  transfer *t = rc_check_self(L, TRANSFER);
  luaL_argcheck(L, t->http != NULL && !t->cancelled, 1, "the transfer was cancelled");
  return t;
}

/* Drops what was given before; false if there is no item, or the one in front must not be given. */
static bool next_is_due(transfer *t) {
  rc_items *items = t->decoder->items;
  rc_item item;
  while (rc_items_peek(items, &item)) {
    if (t->judged) {
      return true;
    }
    switch (rc_delivery_judge(&t->ledger->delivery, &item.object)) {
    case RC_GIVE:
      t->judged = true;
      return true;
    case RC_SKIP:
      rc_items_take(items);
      break;
    case RC_CONFLICT:
      t->conflict = true;
      return false;
    }
  }
  return false;
}

static void resume_if_drained(transfer *t) {
  if (rc_transfer_paused(t->http) && rc_items_waiting(t->decoder->items) <= t->watermark / 2) {
    rc_transfer_resume(t->http);
    if (t->engine->http != NULL) {
      rc_http_drive(t->engine->http); /* this may have been its end */
    }
  }
}

/* May next give a record at all? */
static bool may_give(const transfer *t) {
  return t->decoder != NULL && t->decoder->items != NULL && !t->conflict &&
         (t->ledger == NULL || t->ledger->delivery.given < t->ledger->allowance);
}

/* Is there a record that next could give? */
static bool record_waits(transfer *t) {
  const rc_ledger *ledger = t->ledger;
  rc_item item;
  if (!may_give(t)) {
    return false;
  }
  return ledger != NULL ? next_is_due(t) : rc_items_peek(t->decoder->items, &item);
}

/* What gives_now returns for `next` to yield. */
static bool yield(transfer *t) {
  t->yielded = true;
  return false;
}

/* Moves the transfer on, and says whether `next` is to give a record now, if one waits. */
static bool gives_now(transfer *t) {
  if (!may_give(t)) {
    return false;
  }
  if (t->engine->turn_interval != 0 && !t->yielded && rc_engine_loop_is_due(t->engine)) {
    return yield(t);
  }
  if (clock_moved(t)) {
    if (t->engine->http != NULL) {
      rc_http_drive(t->engine->http);
    }
    if (t->yields_on_tick && !t->yielded) {
      return yield(t);
    }
  }
  const bool is_due = t->ledger == NULL || next_is_due(t);
  resume_if_drained(t);
  if (!is_due) {
    return false;
  }
  if (!t->end_announced && !t->yielded && rc_transfer_is_done(t->http)) {
    t->end_announced = true;
    return yield(t);
  }
  return true;
}

/* The record that waited has been given. */
static void gave(transfer *t) {
  if (t->ledger != NULL) {
    rc_delivery_gave(&t->ledger->delivery);
  }
  t->judged = t->yielded = false;
}

/* Pushes the decoder and returns its index. */
static int push_decoder(lua_State *L) {
  lua_getiuservalue(L, 1, 1);
  lua_rawgeti(L, -1, 2);
  return lua_gettop(L);
}

/* transfer:next() -> record | nil
 *
 * nil is not the end, but says: look around. Either there is nothing to give: no whole record
 * waits, or the ledger allows no more. Or next yields, though a record may wait: the last byte has
 * arrived (said once, so that the next page is asked for before these records are read), the loop's
 * turn is due, or a budget is to be checked. It never yields twice in a row. */
static int transfer_next(lua_State *L) {
  transfer *t = check_transfer(L);
  if (!gives_now(t) || !rc_decoder_push_next(L, push_decoder(L), t->decoder)) {
    return rc_answer_nil(L);
  }
  gave(t);
  return 1;
}

/* transfer:values(selection) -> true, value… | nil
 *
 * The same as next, with values of the record instead of it. */
static int transfer_values(lua_State *L) {
  transfer *t = check_transfer(L);
  const int size = rc_selection_size(rc_selection_check(L, 2));
  luaL_checkstack(L, size + LUA_MINSTACK, "too many values");
  if (!gives_now(t) || !rc_decoder_push_values(L, push_decoder(L), t->decoder, 2)) {
    return rc_answer_nil(L);
  }
  gave(t);
  return size;
}

/* transfer:conflict() -> true if the body is not the one that its ledger knows */
static int transfer_conflict(lua_State *L) {
  lua_pushboolean(L, check_transfer(L)->conflict);
  return 1;
}

/* transfer:waits() -> boolean: whether there is a record that next gives, at its second call if not
 * at the first. */
static int transfer_waits(lua_State *L) {
  lua_pushboolean(L, record_waits(check_transfer(L)));
  return 1;
}

/* transfer:done() -> boolean */
static int transfer_done(lua_State *L) {
  const transfer *t = check_transfer(L);
  lua_pushboolean(L, rc_transfer_is_done(t->http));
  return 1;
}

/* transfer:failure() -> nil, or why there is no whole answer, a line about it, and the status of a
 * proxy that refused to tunnel. */
static int transfer_failure(lua_State *L) {
  const transfer *t = check_transfer(L);
  const char *name = NULL;
  switch (rc_transfer_result(t->http)) {
  case RC_HTTP_OK:
    return rc_answer_nil(L);
  case RC_HTTP_NETWORK:
    name = "network";
    break;
  case RC_HTTP_TIMEOUT:
    name = "timeout";
    break;
  case RC_HTTP_TLS:
    name = "tls";
    break;
  case RC_HTTP_TOO_LARGE:
    name = "too_large";
    break;
  case RC_HTTP_PROXY:
    name = "proxy";
    break;
  case RC_HTTP_ENCODING:
    name = "bad_encoding";
    break;
  case RC_HTTP_REFUSED:
    name = "refused";
    break;
  case RC_HTTP_NOMEM:
    name = "no_memory";
    break;
  }
  lua_pushstring(L, name);
  lua_pushstring(L, rc_transfer_error(t->http));
  if (rc_transfer_result(t->http) != RC_HTTP_PROXY) {
    return 2;
  }
  lua_pushinteger(L, rc_transfer_proxy_status(t->http));
  return 3;
}

/* transfer:status() -> the HTTP status, or nil before the headers are in. */
static int transfer_status(lua_State *L) {
  const transfer *t = check_transfer(L);
  const long status = rc_transfer_status(t->http);
  if (status == 0) {
    return rc_answer_nil(L);
  }
  lua_pushinteger(L, (lua_Integer)status);
  return 1;
}

/* transfer:header(name) -> its value | nil. The values of a repeated one, joined by ", ". */
static int transfer_header(lua_State *L) {
  const transfer *t = check_transfer(L);
  const char *name = luaL_checkstring(L, 2);
  size_t at = 0, length;
  luaL_Buffer joined;
  const char *value = rc_transfer_header(t->http, name, &at, &length);
  if (value == NULL) {
    return rc_answer_nil(L);
  }
  luaL_buffinit(L, &joined);
  luaL_addlstring(&joined, value, length);
  while ((value = rc_transfer_header(t->http, name, &at, &length)) != NULL) {
    luaL_addlstring(&joined, ", ", 2);
    luaL_addlstring(&joined, value, length);
  }
  luaL_pushresult(&joined);
  return 1;
}

/* transfer:headers() -> the answer's header lines, the status line first; "" before they are in. */
static int transfer_headers(lua_State *L) {
  const transfer *t = check_transfer(L);
  size_t length;
  const char *block = rc_transfer_header_block(t->http, &length);
  lua_pushlstring(L, block, length);
  return 1;
}

/* transfer:body() -> the collected body, and whether it was cut; "" until the transfer has ended.
 * It stays where it is only then: while Lua allocates the copy, a finalizer may drive the
 * engine. */
static int transfer_body(lua_State *L) {
  const transfer *t = check_transfer(L);
  size_t length = 0;
  bool cut = false;
  const char *body = "";
  if (rc_transfer_is_done(t->http)) {
    body = rc_transfer_body(t->http, &length, &cut);
  }
  lua_pushlstring(L, body, length);
  lua_pushboolean(L, cut);
  return 2;
}

/* transfer:usage() -> bytes on the wire, seconds since it began. */
static int transfer_usage(lua_State *L) {
  const transfer *t = check_transfer(L);
  rc_push_count(L, rc_transfer_wire_bytes(t->http));
  lua_pushnumber(L, (lua_Number)rc_transfer_elapsed_ms(t->http) / 1000);
  return 2;
}

/* transfer:cancel() */
static int transfer_cancel(lua_State *L) {
  transfer *t = luaL_checkudata(L, 1, TRANSFER);
  t->cancelled = true;
  if (t->http != NULL) {
    rc_transfer_cancel(t->http);
  }
  return 0;
}

static int transfer_gc(lua_State *L) {
  transfer *t = luaL_checkudata(L, 1, TRANSFER);
  rc_transfer *mine = t->http;
  t->http = NULL;
  rc_transfer_free(mine);
  return 0;
}

void rc_transfer_open(lua_State *L) {
  static const luaL_Reg methods[] = {{"next", transfer_next},
                                     {"values", transfer_values},
                                     {"conflict", transfer_conflict},
                                     {"waits", transfer_waits},
                                     {"done", transfer_done},
                                     {"failure", transfer_failure},
                                     {"status", transfer_status},
                                     {"header", transfer_header},
                                     {"headers", transfer_headers},
                                     {"body", transfer_body},
                                     {"usage", transfer_usage},
                                     {"cancel", transfer_cancel},
                                     {NULL, NULL}};
  rc_new_metatable(L, TRANSFER, methods, transfer_gc);
  rc_engine_add_method(L, "request", engine_request);
}
