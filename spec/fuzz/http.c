/* The engine against a server of fuzzed bytes, in one thread over loopback: whatever it answers,
 * the transfer ends, within its limits, and what it says of itself is in bounds. Input: a byte of
 * flags, one for the limits, one for the seed of the cuts, then the bytes of the answer. */
#define _GNU_SOURCE /* accept4 */

#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "items.h"

enum {
  TO_ITEMS = 1,  /* a decoder takes the body, and is slow to */
  RESETS = 2,    /* the server resets the connection at the end */
  TWICE = 4,     /* a second request on the same engine */
  HEADS = 8,     /* a HEAD request */
  IN_PIECES = 16 /* the answer comes in small pieces */
};

typedef struct server {
  int listener, connection; /* -1: none */
  char url[64];
  const uint8_t *bytes;
  size_t length, sent;
  unsigned flags;
  uint32_t seed;
  bool asked;
} server;

/* A new port now and then, because closed connections keep theirs busy for a while. */
static void listen_again(server *s) {
  static int listener = -1;
  static unsigned uses, port;
  if (listener < 0 || ++uses % 4096 == 0) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    if (listener >= 0) {
      CHECK(close(listener) == 0);
    }
    (void)signal(SIGPIPE, SIG_IGN);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    CHECK(listener >= 0 && bind(listener, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(listen(listener, 16) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
    port = ntohs(address.sin_port);
  }
  s->listener = listener;
  (void)snprintf(s->url, sizeof s->url, "http://127.0.0.1:%u/users?page=1", port);
}

static void hang_up(server *s) {
  const struct linger at_once = {1, 0};
  if (s->connection >= 0) {
    (void)setsockopt(s->connection, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    CHECK(close(s->connection) == 0);
    s->connection = -1;
  }
}

/* One step of the server: takes a connection, hears a request, sends a piece, says that this was
 * all. Nothing blocks. */
static void serve(server *s) {
  char request[4096];
  if (s->connection < 0) {
    s->connection = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (s->connection < 0) {
      return;
    }
    s->asked = false;
    s->sent = 0;
  }
  const ssize_t heard = recv(s->connection, request, sizeof request, 0);
  if (heard == 0 || (heard < 0 && errno != EAGAIN)) {
    hang_up(s); /* the client did: it may come again */
    return;
  }
  if (heard > 0) {
    s->asked = true;
    s->sent = 0; /* a further request is answered with the same bytes */
  }
  if (!s->asked) {
    return;
  }
  const size_t left = s->length - s->sent;
  if (left > 0) {
    const size_t piece = (s->flags & IN_PIECES) != 0 ? fuzz_chunk(&s->seed, left) : left;
    const ssize_t sent = send(s->connection, s->bytes + s->sent, piece, 0);
    s->sent += sent > 0 ? (size_t)sent : 0;
  } else if ((s->flags & RESETS) != 0) {
    hang_up(s);
  } else {
    (void)shutdown(s->connection, SHUT_WR);
  }
}

typedef struct sink {
  rc_items *items;
  const rc_transfer *transfer;
  unsigned rounds;
  uint64_t written;
} sink;

static bool sink_write(void *context, const char *bytes, size_t length) {
  sink *to = context;
  CHECK(rc_transfer_status(to->transfer) / 100 == 2);
  CHECK(length > 0);
  to->written += length;
  return rc_items_feed(to->items, bytes, length);
}

static bool sink_full(void *context) {
  const sink *to = context;
  return to->rounds % 3 == 1;
}

static void check_transfer(const rc_transfer *transfer, const rc_http_request *request,
                           const sink *to) {
  static const char *const names[] = {"content-type", "Content-Length", "a", "", "link"};
  size_t length = 0;
  size_t block_length = 0;
  bool cut = false;
  CHECK(rc_transfer_is_done(transfer) && !rc_transfer_paused(transfer));
  const rc_http_result result = rc_transfer_result(transfer);
  const char *error = rc_transfer_error(transfer);
  CHECK(result != RC_HTTP_TIMEOUT && result != RC_HTTP_TLS && result != RC_HTTP_NOMEM);
  CHECK((result == RC_HTTP_OK) == (error[0] == '\0'));
  CHECK(strpbrk(error, "\r\n") == NULL);
  CHECK(result != RC_HTTP_OK || rc_transfer_status(transfer) != 0);
  const char *block = rc_transfer_header_block(transfer, &block_length);
  CHECK(request->max_headers == 0 || block_length <= request->max_headers);
  char *copy = fuzz_copy(block, block_length);
  free(copy);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    size_t at = 0;
    const char *value;
    while ((value = rc_transfer_header(transfer, names[i], &at, &length)) != NULL) {
      CHECK(value >= block && value + length <= block + block_length);
      CHECK(memchr(value, '\n', length) == NULL);
    }
  }
  const char *body = rc_transfer_body(transfer, &length, &cut);
  CHECK(length <= request->max_collected);
  copy = fuzz_copy(body, length);
  free(copy);
  const bool good_status = rc_transfer_status(transfer) / 100 == 2;
  CHECK(!good_status || request->max_body == 0 || length + to->written <= request->max_body);
  if (to->items != NULL) {
    CHECK(!good_status || length == 0);
    CHECK(good_status || to->written == 0);
    CHECK((result == RC_HTTP_REFUSED) == (rc_items_failure(to->items) != RC_ITEMS_OK));
  } else {
    CHECK(result != RC_HTTP_REFUSED);
  }
}

static void exchange(rc_http *engine, server *s, rc_http_request *request) {
  const rc_items_options options = {
      .pointer = "", .max_bytes = 1 << 24, .max_item = 1 << 20, .max_depth = 64};
  const char *problem;
  sink to = {0};
  rc_transfer *transfer = NULL;
  if ((s->flags & TO_ITEMS) != 0) {
    to.items = rc_items_new(&options, &problem);
    CHECK(to.items != NULL);
    request->sink = (rc_http_sink){sink_write, sink_full, &to};
  }
  CHECK(rc_http_start(engine, request, &transfer) == RC_HTTP_OK);
  to.transfer = transfer;
  for (unsigned idle = 0; !rc_transfer_is_done(transfer); to.rounds++) {
    const uint64_t before = rc_transfer_wire_bytes(transfer);
    serve(s);
    if (rc_transfer_paused(transfer)) {
      rc_transfer_resume(transfer);
    }
    if (!rc_transfer_is_done(transfer)) {
      rc_http_wait_many(&engine, 1, idle < 8 ? 0 : 1);
      idle = rc_transfer_wire_bytes(transfer) == before ? idle + 1 : 0;
    }
    CHECK(idle < 20000); /* some twenty seconds without a byte: it hangs */
  }
  check_transfer(transfer, request, &to);
  rc_transfer_free(transfer);
  rc_items_free(to.items);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const uint64_t bodies[] = {0, 1 << 20, 100, 1};
  static const size_t headers[] = {0, 65536, 64, 300};
  static const size_t collected[] = {1 << 20, 0, 16, 100};
  fuzz_input input = {data, size};
  server s = {.connection = -1};
  s.flags = fuzz_byte(&input);
  const unsigned limits = fuzz_byte(&input);
  s.seed = fuzz_byte(&input);
  s.bytes = input.data;
  s.length = input.size;
  listen_again(&s);
  rc_http_request request = {.method = (s.flags & HEADS) != 0 ? "HEAD" : "GET",
                             .url = s.url,
                             .proxy = "",
                             .connect_timeout_ms = 60000,
                             .idle_timeout_ms = 60000,
                             .max_body = bodies[limits & 3u],
                             .max_headers = headers[limits >> 2 & 3u],
                             .max_collected = collected[limits >> 4 & 3u]};
  rc_http *engine = rc_http_new(true);
  CHECK(engine != NULL);
  exchange(engine, &s, &request);
  if ((s.flags & TWICE) != 0) {
    exchange(engine, &s, &request);
  }
  rc_http_free(engine);
  hang_up(&s);
  /* Connections that nobody took. */
  for (int fd; (fd = accept4(s.listener, NULL, NULL, SOCK_CLOEXEC)) >= 0;) {
    CHECK(close(fd) == 0);
  }
  return 0;
}
