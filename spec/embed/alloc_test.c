/* alloc_test.c - memory that is refused. A script, and the sources that know no Lua, run again and
 * again; each time another request for memory fails: Lua's own by its allocator, those of our
 * sources by the linker's --wrap. Nothing may crash or leak (the sanitizers see to that), an error
 * must say that it is memory, and afterwards all must work. libcurl's own memory is left alone: it
 * crashes by itself. */
#define _GNU_SOURCE /* accept4 */

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "http.h"
#include "items.h"
#include "seen.h"

#define CHECK(condition) ((condition) ? (void)0 : give_up(__LINE__, #condition))

int luaopen_rollcall_core(lua_State *L);

static const char *stage = "";
static int test_count = 0;

/* -- refusing --------------------------------------------------------------------------------- */

static unsigned long requests, first_refused, last_refused, refused;

static _Noreturn void give_up(int line, const char *condition) {
  first_refused = last_refused = 0;
  printf("not ok %d - %s, request %lu: line %d: %s\n", test_count + 1, stage, requests, line,
         condition);
  (void)fflush(stdout);
  abort();
}

/* From now on the requests from `first` to `last` are refused; 0, 0: none. */
static void refuse(unsigned long first, unsigned long last) {
  requests = refused = 0;
  first_refused = first;
  last_refused = last;
}

static bool is_refused(void) {
  requests++;
  const bool now = requests >= first_refused && requests <= last_refused;
  refused += now;
  return now;
}

/* The names that the linker's --wrap gives to both sides. */
void *real_malloc(size_t size) __asm__("__real_malloc");
void *real_calloc(size_t count, size_t size) __asm__("__real_calloc");
void *real_realloc(void *memory, size_t size) __asm__("__real_realloc");
void *our_malloc(size_t size) __asm__("__wrap_malloc");
void *our_calloc(size_t count, size_t size) __asm__("__wrap_calloc");
void *our_realloc(void *memory, size_t size) __asm__("__wrap_realloc");

void *our_malloc(size_t size) {
  return is_refused() ? NULL : real_malloc(size);
}

void *our_calloc(size_t count, size_t size) {
  return is_refused() ? NULL : real_calloc(count, size);
}

void *our_realloc(void *memory, size_t size) {
  return is_refused() ? NULL : real_realloc(memory, size);
}

/* Less is never refused: Lua counts on that. */
static void *lua_memory(void *context, void *memory, size_t old_size, size_t size) {
  (void)context;
  if (size == 0) {
    free(memory);
    return NULL;
  }
  if ((memory == NULL || size > old_size) && is_refused()) {
    return NULL;
  }
  return real_realloc(memory, size);
}

/* Runs `once` with nothing refused, then with each of its requests refused: that one alone, that
 * one and the next (Lua collects garbage and tries again), and all from that one on. A step above 1
 * leaves some out. */
static void refuse_each(const char *name, void (*once)(void), unsigned long step) {
  static const unsigned long more[] = {0, 1, (unsigned long)-1 / 2};
  unsigned long runs = 0;
  stage = name;
  refuse(0, 0);
  once();
  for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
    unsigned long n = 1;
    do {
      refuse(n, n + more[i]);
      once();
      runs++;
      n += step;
    } while (refused > 0);
  }
  CHECK(runs > 3); /* it did ask for memory */
  printf("ok %d - %s: %lu runs\n", ++test_count, name, runs);
  (void)fflush(stdout);
}

/* -- Lua -------------------------------------------------------------------------------------- */

static const char script[] =
    "if jit then jit.off() end\n"
    "local core = ...\n"
    "local long = ('long \\\\u00e9\\\\n'):rep(100)\n"
    "local users = {}\n"
    "for i = 1, 12 do users[i] = ('{\"id\":\"u%d\",\"n\\\\u0061me\":\"N \\\\uD834\\\\uDD1E %d\",' "
    "..\n"
    "  '\"text\":\"%s\",\"tags\":[1,2.5,null,{\"a\":[\"x\"]}],\"big\":123456789012345678901}')\n"
    "  :format(i, i, i == 3 and long or 'short') end\n"
    "local text = '{\"next\":\"to\\\\u006ben\",\"data\":[' .. table.concat(users, ',') .. ']}'\n"
    "local kind = core.record_type { user = '/id', tag = '/tags/3/a/0', fixed = { 7 },\n"
    "  both = function(user) return user.id .. user.name end }\n"
    "local function open()\n"
    "  return core.decoder { items = '/data', capture = { '/next', '/none' }, record = kind }\n"
    "end\n"
    "local ledger = core.ledger { id = '/id' }\n"
    "local seen = core.seen()\n"
    "for round, size in ipairs { #text, 500 } do\n"
    "  local decoder = open()\n"
    "  if round == 2 then ledger:begin_body() end\n"
    "  local count = 0\n"
    "  for from = 1, #text, size do\n"
    "    assert(decoder:feed(text:sub(from, from + size - 1)))\n"
    "    for user in decoder.next, decoder do\n"
    "      count = count + 1\n"
    "      assert(user.id == 'u' .. count and user.user == user.id and user.tag == 'x')\n"
    "      assert(user.fixed == 7 and user.both == user.id .. 'N \\240\\157\\132\\158 ' .. count)\n"
    "      assert(ledger:take(user) == (round == 1))\n"
    "      assert(seen:add(user.id) == (round == 1))\n"
    "      if count <= 4 then\n"
    "        local plain = core.totable(user)\n"
    "        assert(plain.tags[3] == core.null and #plain.text == (count == 3 and 800 or 5))\n"
    "        for key in core.pairs(user) do assert(plain[key] ~= nil) end\n"
    "        assert(core.at(user, '/tags/1') == 2.5 and core.json(user) == tostring(user))\n"
    "      end\n"
    "    end\n"
    "  end\n"
    "  assert(decoder:finish())\n"
    "  assert(count == 12 and decoder:captured '/next' == 'token' and not decoder:captured "
    "'/none')\n"
    "  local picked = core.selection { '/id', '/n\\97me', { 7 }, '/tags/3/a/0', '/none',\n"
    "    round == 1 and '/text' or function(user) return user.text end }\n"
    "  local other = open()\n"
    "  assert(other:feed(text)) assert(other:finish())\n"
    "  for i = 1, 12 do\n"
    "    local any, id, name, fixed, tag, none, note = other:values(picked)\n"
    "    assert(any and id == 'u' .. i and name == 'N \\240\\157\\132\\158 ' .. i and fixed == 7)\n"
    "    assert(tag == 'x' and none == nil and #note == (i == 3 and 800 or 5))\n"
    "  end\n"
    "  assert(other:values(picked) == nil)\n"
    "end\n"
    "for i = 1, 60 do seen:add('id' .. i) end\n"
    "local saved = ledger:save(1000)\n"
    "assert(#saved == 16 + 12 * 8 or #saved == 16)\n"
    "local again = core.ledger { id = '/id', saved = saved }\n"
    "assert(again:given() == 12)\n"
    "local broken = core.decoder { items = '' }\n"
    "local good, err = broken:feed '[{\"a\":nil}]'\n"
    "if good then good, err = broken:finish() end\n"
    "if err.code == 'no_memory' then error(err) end\n"
    "assert(not good and err.code == 'bad_literal' and tostring(err):find 'null', tostring(err))\n"
    "assert(not pcall(core.decoder, { items = 'x' }))\n"
    "collectgarbage()\n";

/* Is the message on top, whatever it is, about memory? */
static bool is_about_memory(lua_State *L, int status) {
  if (status == LUA_ERRMEM) {
    return true;
  }
  if (lua_istable(L, -1)) { /* an error object */
    lua_getfield(L, -1, "code");
    const char *code = lua_tostring(L, -1);
    const bool is_memory = code != NULL && strcmp(code, "no_memory") == 0;
    lua_pop(L, 1);
    return is_memory;
  }
  const char *message = lua_tostring(L, -1);
  const bool is_memory = message != NULL && strstr(message, "memory") != NULL;
  if (!is_memory) {
    (void)fprintf(stderr, "%s\n", message != NULL ? message : "no text");
  }
  return is_memory;
}

/* Runs the function on top, which takes the module, while memory is refused; then once more. */
static void run_script(void) {
  const unsigned long first = first_refused;
  const unsigned long last = last_refused;
  refuse(0, 0);
  lua_State *L = lua_newstate(lua_memory, NULL);
  CHECK(L != NULL);
  luaL_openlibs(L);
  /* Lua 5.4 does not get over it where its buffers' metatable is refused: here it is made. */
  CHECK(luaL_loadstring(L, "return ('x'):rep(100000)") == 0 && lua_pcall(L, 0, 0, 0) == 0);
  CHECK(luaL_loadstring(L, script) == 0);
  const int body = lua_gettop(L);
  lua_pushcfunction(L, luaopen_rollcall_core);
  refuse(first, last);
  int status = lua_pcall(L, 0, 1, 0);
  if (status == 0) {
    lua_pushvalue(L, body);
    lua_insert(L, -2);
    status = lua_pcall(L, 1, 0, 0);
  }
  const unsigned long asked = requests;
  const unsigned long were_refused = refused;
  refuse(0, 0);
  requests = asked;
  CHECK(status == 0 || (were_refused > 0 && is_about_memory(L, status)));
  lua_settop(L, body);
  lua_pushcfunction(L, luaopen_rollcall_core);
  CHECK(lua_pcall(L, 0, 1, 0) == 0);
  status = lua_pcall(L, 1, 0, 0);
  if (status != 0) {
    (void)fprintf(stderr, "%s\n", lua_tostring(L, -1));
  }
  CHECK(status == 0);
  lua_close(L);
  refused = were_refused;
}

/* -- the sources that know no Lua ------------------------------------------------------------- */

static void run_items(void) {
  static const char text[] = "{\"next\":\"a\",\"data\":[{\"id\":1,\"name\":\"x\"},{\"id\":2},"
                             "{\"id\":3,\"tags\":[{}]}],\"n\":[1]}";
  static const char *const captures[] = {"/next", "/n"};
  static const size_t lengths[] = {5, 2};
  const rc_items_options options = {.pointer = "/data",
                                    .pointer_length = 5,
                                    .captures = captures,
                                    .capture_lengths = lengths,
                                    .capture_count = 2,
                                    .max_bytes = 1 << 20,
                                    .max_item = 1 << 20,
                                    .max_depth = 64,
                                    .containers = true};
  for (size_t size = 1; size <= sizeof text; size *= 8) {
    const char *problem;
    rc_items *items = rc_items_new(&options, &problem);
    rc_item item;
    unsigned count = 0;
    bool good = items != NULL;
    CHECK(problem == NULL);
    for (size_t at = 0; at < sizeof text - 1 && good; at += size) {
      const size_t left = sizeof text - 1 - at;
      good = rc_items_feed(items, text + at, left < size ? left : size);
    }
    good = good && rc_items_finish(items);
    while (items != NULL && rc_items_peek(items, &item)) {
      count++;
      CHECK(item.object.bytes[0] == '{' && item.object.length >= 8 && item.object.field_count >= 1);
      rc_items_take(items);
    }
    if (good) {
      CHECK(count == 3 && rc_items_captured(items, 0)->found && rc_items_captured(items, 1)->found);
    } else {
      CHECK(refused > 0);
      CHECK(items == NULL || rc_items_failure(items) == RC_ITEMS_NO_MEMORY);
    }
    rc_items_free(items);
  }
}

static void run_seen(void) {
  rc_seen seen = {0};
  uint64_t added = 0;
  for (uint64_t i = 1; i <= 1000; i++) {
    if (rc_seen_add(&seen, i)) {
      added++;
      CHECK(rc_seen_has(&seen, i));
    } else {
      CHECK(refused > 0 && !rc_seen_has(&seen, i));
    }
  }
  CHECK(seen.count == added);
  rc_seen_clear(&seen);
}

#define TRANSFERS ((size_t)70) /* more sockets than rc_http_wait_many keeps on its stack */

static int open_listener(char *url, size_t size) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  socklen_t length = sizeof address;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  CHECK(bind(listener, (struct sockaddr *)&address, sizeof address) == 0);
  CHECK(listen(listener, 128) == 0);
  CHECK(getsockname(listener, (struct sockaddr *)&address, &length) == 0);
  (void)snprintf(url, size, "http://127.0.0.1:%u/", ntohs(address.sin_port));
  return listener;
}

/* Takes the connections that have come and answers on each, without hearing what it asks. */
static void answer(int listener, int *connections, size_t *count) {
  static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]";
  for (int fd; *count < 4 * TRANSFERS; connections[(*count)++] = fd) {
    fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      return;
    }
    CHECK(send(fd, text, sizeof text - 1, MSG_NOSIGNAL) == (ssize_t)sizeof text - 1);
  }
}

static size_t transfers_at_a_time = 1;

static void run_http(void) {
  static const char *const headers[] = {"Accept: application/json", NULL};
  char url[64];
  int connections[4 * TRANSFERS];
  size_t connected = 0;
  rc_transfer *transfers[TRANSFERS] = {NULL};
  const int listener = open_listener(url, sizeof url);
  const rc_http_request request = {.method = "POST",
                                   .url = url,
                                   .headers = headers,
                                   .body = "{}",
                                   .body_length = 2,
                                   .proxy = "",
                                   .max_collected = 100};
  rc_http *engine = rc_http_new(true);
  CHECK(engine != NULL || refused > 0);
  for (size_t i = 0; i < transfers_at_a_time && engine != NULL; i++) {
    const rc_http_result result = rc_http_start(engine, &request, &transfers[i]);
    CHECK(result == RC_HTTP_OK || (result == RC_HTTP_NOMEM && transfers[i] == NULL && refused > 0));
  }
  for (size_t i = 0; i < transfers_at_a_time; i++) {
    for (int rounds = 0; transfers[i] != NULL; rounds++) {
      if (rc_transfer_is_done(transfers[i])) {
        break;
      }
      CHECK(rounds < 20000);
      rc_http_wait_many(&engine, 1, 1);
      if (rounds > 0) { /* all of them have asked to connect */
        answer(listener, connections, &connected);
      }
    }
  }
  for (size_t i = 0; i < transfers_at_a_time; i++) {
    if (transfers[i] != NULL) {
      const rc_http_result result = rc_transfer_result(transfers[i]);
      CHECK(result == RC_HTTP_OK || (result == RC_HTTP_NOMEM && refused > 0));
      rc_transfer_free(transfers[i]);
    }
  }
  rc_http_free(engine);
  while (connected > 0) {
    CHECK(close(connections[--connected]) == 0);
  }
  CHECK(close(listener) == 0);
}

int main(void) {
  refuse_each("a Lua script", run_script, 1);
  refuse_each("items", run_items, 1);
  refuse_each("seen", run_seen, 1);
  refuse_each("a request", run_http, 1);
  transfers_at_a_time = TRANSFERS;
  refuse_each("many requests", run_http, 11);
  printf("1..%d\n", test_count);
  return 0;
}
