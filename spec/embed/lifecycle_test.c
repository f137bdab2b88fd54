/* lifecycle_test.c - Lua states and processes that come and go: two states in one process, a module
 * that is loaded twice, a state that ends with transfers in flight, and fork. It needs the sandbox,
 * as the specs do. */
#define _GNU_SOURCE /* accept4 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "http.h"

#define CHECK(condition) ((condition) ? (void)0 : give_up(__LINE__, #condition))

int luaopen_rollcall_core(lua_State *L);

static int test_count = 0;

static _Noreturn void give_up(int line, const char *condition) {
  printf("not ok %d - line %d: %s\n", test_count + 1, line, condition);
  (void)fflush(stdout);
  _exit(1);
}

static void passed(const char *name) {
  printf("ok %d - %s\n", ++test_count, name);
  (void)fflush(stdout);
}

/* -- Lua -------------------------------------------------------------------------------------- */

static void run(lua_State *L, const char *code) {
  if (luaL_loadstring(L, code) != 0 || lua_pcall(L, 0, 0, 0) != 0) {
    printf("not ok %d - %s\n", test_count + 1, lua_tostring(L, -1));
    (void)fflush(stdout);
    _exit(1);
  }
}

static void load(lua_State *L) {
  lua_pushcfunction(L, luaopen_rollcall_core);
  lua_call(L, 0, 1);
  lua_setglobal(L, "core");
}

static lua_State *new_state(void) {
  lua_State *L = luaL_newstate();
  CHECK(L != NULL);
  luaL_openlibs(L);
  load(L);
  run(L, "url = assert(os.getenv 'SANDBOX_CONTROL_URL', 'it needs the sandbox') .. '/stats'\n"
         "function send(options)\n"
         "  options = options or {}\n"
         "  options.url, options.proxy = options.url or url, ''\n"
         "  return assert(engine:request(options))\n"
         "end\n"
         "function finish(transfer)\n"
         "  while not transfer:done() do core.wait({ engine }, 10) end\n"
         "  return transfer:status()\n"
         "end\n"
         "engine = core.engine()\n");
  return L;
}

static void two_states(void) {
  lua_State *one = new_state();
  lua_State *other = new_state();
  for (int i = 0; i < 3; i++) {
    run(one, "transfer = send()");
    run(other, "transfer = send()");
    run(other, "assert(finish(transfer) == 200)");
    run(one, "assert(finish(transfer) == 200)");
  }
  run(one, "transfer = send() engine:drive()");
  run(other, "transfer = send() engine:drive()");
  lua_close(one);
  run(other, "assert(finish(transfer) == 200) assert(finish(send()) == 200)");
  lua_close(other);
}

static void loaded_twice(void) {
  lua_State *L = new_state();
  run(L, "first = core decoder = core.decoder { items = '' } user = nil\n"
         "kind = core.record_type { id2 = '/id' }\n"
         "first.error_metatable.__tostring = function() return 'mine' end");
  load(L);
  run(L, "assert(core ~= first and core.null == first.null)\n"
         "assert(core.error_metatable == first.error_metatable)\n"
         "assert(decoder:feed '[{\"id\":1},{\"id\":2}') user = decoder:next()\n"
         "assert(user.id == 1 and core.json(user) == first.json(user))\n"
         "local typed = core.decoder { items = '', record = kind }\n"
         "assert(typed:feed '[{\"id\":7}]' and typed:finish())\n"
         "local record = typed:next() assert(record.id2 == 7 and core.totable(record).id == 7)\n"
         "local good, err = decoder:feed 'x' assert(not good and tostring(err) == 'mine')\n"
         "assert(finish(send()) == 200) engine = first.engine() assert(finish(send()) == 200)");
  lua_close(L);
}

/* The order in which Lua ends what refers to each other is its own. */
static void ends_in_flight(void) {
  for (int turns = 0; turns < 8; turns++) {
    lua_State *L = new_state();
    lua_pushinteger(L, turns);
    lua_setglobal(L, "turns");
    run(L, "decoder, ledger = core.decoder { items = '' }, core.ledger { id = '/id' }\n"
           "transfer = send { decoder = decoder, ledger = ledger }\n"
           "other = send()\n"
           "for _ = 1, turns do engine:drive() core.wait({}, 0.0005) end\n"
           "if turns % 2 == 1 then decoder, ledger, other = nil, nil, nil collectgarbage() end");
    lua_close(L);
  }
}

/* -- fork ------------------------------------------------------------------------------------- */

/* Passes bytes on between the client and the sandbox, and counts those of the client. */
typedef struct relay {
  int listener, client, server;
  unsigned port, to_port;
  size_t from_client;
  bool client_left;
} relay;

static struct sockaddr_in loopback(unsigned port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

static relay open_relay(const char *to_url) {
  relay r = {.client = -1, .server = -1};
  struct sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  const char *colon = strrchr(to_url, ':');
  CHECK(colon != NULL);
  r.to_port = (unsigned)strtoul(colon + 1, NULL, 10);
  r.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  CHECK(bind(r.listener, (struct sockaddr *)&address, sizeof address) == 0);
  CHECK(listen(r.listener, 8) == 0);
  CHECK(getsockname(r.listener, (struct sockaddr *)&address, &size) == 0);
  r.port = ntohs(address.sin_port);
  return r;
}

/* Moves what there is, one way; the number of bytes, 0 at the end, -1 for none now. */
static ssize_t pass_on(int from, int to) {
  char bytes[65536];
  const ssize_t n = recv(from, bytes, sizeof bytes, MSG_DONTWAIT);
  for (ssize_t at = 0; at < n;) {
    const ssize_t sent = send(to, bytes + at, (size_t)(n - at), MSG_NOSIGNAL);
    if (sent < 0) {
      return 0;
    }
    at += sent;
  }
  return n;
}

static void relay_step(relay *r) {
  if (r->client < 0) {
    struct sockaddr_in address = loopback(r->to_port);
    r->client = accept4(r->listener, NULL, NULL, SOCK_CLOEXEC);
    if (r->client < 0) {
      return;
    }
    r->server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(connect(r->server, (struct sockaddr *)&address, sizeof address) == 0);
  }
  const ssize_t n = pass_on(r->client, r->server);
  r->from_client += n > 0 ? (size_t)n : 0;
  r->client_left = r->client_left || n == 0;
  (void)pass_on(r->server, r->client);
}

/* Nothing came from the client for a moment. */
static void let_settle(relay *r) {
  struct pollfd client = {.fd = r->client, .events = POLLIN};
  while (!r->client_left && poll(&client, 1, 20) > 0) {
    relay_step(r);
  }
}

static void close_relay(const relay *r) {
  CHECK(close(r->client) == 0 && close(r->server) == 0 && close(r->listener) == 0);
}

static rc_transfer *start(rc_http *engine, const relay *r, bool https) {
  char url[64];
  rc_transfer *transfer;
  (void)snprintf(url, sizeof url, "http%s://127.0.0.1:%u/v1/none", https ? "s" : "", r->port);
  const rc_http_request request = {.method = "GET",
                                   .url = url,
                                   .ca_file = https ? getenv("SANDBOX_CA_FILE") : NULL,
                                   .proxy = "",
                                   .connect_timeout_ms = 20000,
                                   .max_collected = 1 << 20};
  CHECK(rc_http_start(engine, &request, &transfer) == RC_HTTP_OK);
  return transfer;
}

static void finish(rc_http *engine, relay *r, rc_transfer *transfer) {
  for (int rounds = 0; !rc_transfer_is_done(transfer); rounds++) {
    CHECK(rounds < 20000);
    rc_http_wait_many(&engine, 1, 1);
    relay_step(r);
  }
  CHECK(rc_transfer_result(transfer) == RC_HTTP_OK);
  CHECK(rc_transfer_status(transfer) >=
        400); /* the sandbox knows no such path, or no such client */
  rc_transfer_free(transfer);
}

/* What the child does; it ends well, and nothing of it reaches the server. */
typedef void child_part(rc_http *engine, rc_transfer *running, const relay *r, bool https);

static void child_frees_all(rc_http *engine, rc_transfer *running, const relay *r, bool https) {
  (void)r;
  (void)https;
  rc_transfer_free(running);
  rc_http_free(engine);
}

static void child_frees_the_engine_first(rc_http *engine, rc_transfer *running, const relay *r,
                                         bool https) {
  (void)r;
  (void)https;
  rc_http_free(engine);
  CHECK(rc_transfer_is_done(running));
  CHECK(rc_transfer_result(running) == RC_HTTP_NETWORK);
  rc_transfer_free(running);
}

/* The child's own requests go over connections of its own. */
static void child_goes_on(rc_http *engine, rc_transfer *running, const relay *r, bool https) {
  relay own = *r;
  (void)alarm(60); /* it would wait for what has come: the transfer's end */
  rc_http_wait_many(&engine, 1, 3600000);
  (void)alarm(0);
  CHECK(rc_transfer_is_done(running));
  CHECK(rc_transfer_result(running) == RC_HTTP_NETWORK);
  CHECK(strstr(rc_transfer_error(running), "parent") != NULL);
  rc_transfer_free(running);
  own.client = own.server = -1;
  finish(engine, &own, start(engine, &own, https));
  finish(engine, &own, start(engine, &own, https));
  rc_http_free(engine);
}

static void forks(bool https, child_part *part) {
  const char *url = getenv(https ? "SANDBOX_DINTERO_HTTPS_URL" : "SANDBOX_DINTERO_URL");
  CHECK(url != NULL);
  relay r = open_relay(url);
  rc_http *engine = rc_http_new(true);
  finish(engine, &r, start(engine, &r, https)); /* from now on there is a connection */
  rc_transfer *running = start(engine, &r, https);
  rc_http_drive(engine);
  let_settle(&r);
  const size_t sent = r.from_client;
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    part(engine, running, &r, https);
    exit(0); /* with all that is done at an exit: the search for leaks, too */
  }
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  let_settle(&r);
  CHECK(r.from_client == sent && !r.client_left); /* what came now, the child sent */
  finish(engine, &r, running);
  finish(engine, &r, start(engine, &r, https));
  CHECK(!r.client_left); /* on the one connection that the relay takes */
  rc_http_free(engine);
  close_relay(&r);
}

int main(void) {
  two_states();
  passed("two states have their engines to themselves");
  loaded_twice();
  passed("a module that is loaded twice");
  ends_in_flight();
  passed("a state that ends with transfers in flight");
  for (int https = 0; https < 2; https++) {
    forks(https != 0, child_frees_all);
    forks(https != 0, child_frees_the_engine_first);
    forks(https != 0, child_goes_on);
    passed(https != 0 ? "fork, over TLS" : "fork");
  }
  printf("1..%d\n", test_count);
  return 0;
}
