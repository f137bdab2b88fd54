/* See http.h. libcurl is driven by curl_multi_socket_action only, so that one engine can be waited
 * on by poll(2) and by a foreign loop alike. No callback of libcurl's calls libcurl's multi API. */
#define _POSIX_C_SOURCE 200809L

#include "http.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#define POOL_SIZE 16
#define POLL_ON_STACK 64
#define RECEIVE_BUFFER 65536L  /* also what a paused transfer may still inflate */
#define DROPPED_MAX (1u << 20) /* of a body that is cut, before its connection is given up */
#define LEEWAY_MS 1000         /* charged to timeouts even if the caller was away for longer */
#define TIMER_ROUNDS 8
#define NEVER INT64_MAX

struct buffer {
  char *bytes; /* owned */
  size_t length, capacity;
};

struct rc_http {
  CURLM *multi;
  rc_http_socket *sockets; /* owned; what libcurl wants watched */
  size_t socket_count, socket_capacity;
  uint64_t sockets_version, finished;
  rc_transfer *running; /* a list; the callers own its members */
  CURL *pool[POOL_SIZE];
  size_t pooled;
  int64_t timer_at; /* when libcurl wants its timer */
  int64_t check_at; /* no timeout of ours is over before */
  int64_t clock;    /* monotonic milliseconds, as of the last entry */
  /* The attended clock, which the idle timeout runs on, is `clock - unattended`: a caller that was
   * busy elsewhere did not give the server's bytes a chance. */
  int64_t unattended, attended_until;
  int out_of_memory; /* a callback could not keep a socket */
  pid_t process;     /* whose connections these are */
};

struct rc_transfer {
  rc_http *engine; /* not owned; NULL when done, as is `easy` */
  rc_transfer *previous, *next;
  CURL *easy;                 /* owned */
  struct curl_slist *headers; /* owned, as is sent_body; libcurl reads both while it runs */
  char *sent_body;
  rc_http_sink sink;
  uint64_t max_body;
  size_t max_headers, max_collected, dropped, header_bytes;
  int64_t connect_timeout_ms, idle_timeout_ms;
  int64_t started, deadline;       /* monotonic */
  int64_t connect_from, active_at; /* attended */
  int64_t connect_unattended;      /* engine->unattended at connect_from */
  rc_http_result result;
  rc_http_result failure; /* why a callback ended the transfer, and in words */
  const char *failure_text;
  int headers_complete, block_ended, paused, gave_up;
  long status;
  struct buffer block, body;
  uint64_t received, wire_bytes, elapsed;
  int http_version;
  char error[CURL_ERROR_SIZE];
};

static int64_t monotonic_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t earlier(int64_t a, int64_t b) {
  return a < b ? a : b;
}

static long bounded_ms(int64_t duration) {
  return duration <= 0 ? 0 : duration < INT_MAX ? (long)duration : INT_MAX;
}

static int append(struct buffer *buffer, const char *bytes, size_t length) {
  if (length > buffer->capacity - buffer->length) {
    size_t capacity = buffer->capacity ? buffer->capacity : 1024;
    while (capacity - buffer->length < length) {
      if (capacity > SIZE_MAX / 2)
        return -1;
      capacity *= 2;
    }
    char *grown = realloc(buffer->bytes, capacity);
    if (!grown)
      return -1;
    buffer->bytes = grown;
    buffer->capacity = capacity;
  }
  memcpy(buffer->bytes + buffer->length, bytes, length);
  buffer->length += length;
  return 0;
}

/* ---- Ends of transfers ---- */

static int64_t attended(const rc_http *engine) {
  return engine->clock - engine->unattended;
}

static uint64_t header_and_body_bytes(CURL *easy) {
  curl_off_t body = 0;
  long headers = 0;
  curl_easy_getinfo(easy, CURLINFO_SIZE_DOWNLOAD_T, &body);
  curl_easy_getinfo(easy, CURLINFO_HEADER_SIZE, &headers);
  return (body > 0 ? (uint64_t)body : 0) + (headers > 0 ? (uint64_t)headers : 0);
}

static int version_of(CURL *easy) {
  static const int versions[] = {[CURL_HTTP_VERSION_1_0] = 10,
                                 [CURL_HTTP_VERSION_1_1] = 11,
                                 [CURL_HTTP_VERSION_2_0] = 20,
                                 [CURL_HTTP_VERSION_3] = 30};
  long version = 0;
  curl_easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version);
  return version >= 0 && version <= CURL_HTTP_VERSION_3 ? versions[version] : 0;
}

/* A handle whose transfer was cut short is not used again: it may hold on to its receive buffer. */
static void release_easy(rc_http *engine, CURL *easy, rc_http_result result) {
  if (result == RC_HTTP_OK && engine->pooled < POOL_SIZE) {
    curl_easy_reset(easy);
    engine->pool[engine->pooled++] = easy;
  } else {
    curl_easy_cleanup(easy);
  }
}

static void release_request(rc_transfer *transfer) {
  curl_slist_free_all(transfer->headers);
  free(transfer->sent_body);
  transfer->headers = NULL;
  transfer->sent_body = NULL;
}

/* Takes the transfer out of its engine. A message of NULL keeps what libcurl wrote. */
static void finish(rc_http *engine, rc_transfer *transfer, rc_http_result result,
                   const char *message) {
  CURL *easy = transfer->easy;
  transfer->wire_bytes = header_and_body_bytes(easy);
  transfer->http_version = version_of(easy);
  transfer->elapsed = (uint64_t)(monotonic_ms() - transfer->started);
  transfer->result = result;
  transfer->paused = 0;
  transfer->easy = NULL; /* from here on the callbacks ignore what libcurl may still have */
  if (engine->process == getpid()) {
    curl_multi_remove_handle(engine->multi, easy);
    release_easy(engine, easy, transfer->gave_up ? RC_HTTP_NETWORK : result);
  }
  release_request(transfer);
  if (transfer->previous)
    transfer->previous->next = transfer->next;
  else
    engine->running = transfer->next;
  if (transfer->next)
    transfer->next->previous = transfer->previous;
  transfer->previous = transfer->next = NULL;
  transfer->engine = NULL;
  if (!engine->running)
    engine->check_at = NEVER;
  engine->finished++;
  if (message)
    snprintf(transfer->error, sizeof transfer->error, "%s", message);
}

static void finish_all(rc_http *engine, rc_http_result result, const char *message) {
  while (engine->running)
    finish(engine, engine->running, result, message);
}

/* Handshakes that the network broke are reported like those that a certificate broke. */
static int is_broken_handshake(const char *error) {
  static const char *const signs[] = {"SSL_ERROR_SYSCALL", "reset by peer", "unexpected eof"};
  for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
    if (strstr(error, signs[i]))
      return 1;
  return 0;
}

static const CURLcode tls_failures[] = {
    CURLE_SSL_CONNECT_ERROR,     CURLE_SSL_ENGINE_NOTFOUND,      CURLE_SSL_ENGINE_SETFAILED,
    CURLE_SSL_ENGINE_INITFAILED, CURLE_SSL_CERTPROBLEM,          CURLE_SSL_CIPHER,
    CURLE_SSL_CACERT_BADFILE,    CURLE_SSL_CRL_BADFILE,          CURLE_SSL_ISSUER_ERROR,
    CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_PINNEDPUBKEYNOTMATCH, CURLE_PEER_FAILED_VERIFICATION,
    CURLE_USE_SSL_FAILED,
#if LIBCURL_VERSION_NUM >= 0x074d00
    CURLE_SSL_CLIENTCERT,
#endif
};

static rc_http_result result_of(CURLcode code, const rc_transfer *transfer) {
  if (code == CURLE_OPERATION_TIMEDOUT)
    return RC_HTTP_TIMEOUT;
#if LIBCURL_VERSION_NUM >= 0x080600
  if (code == CURLE_TOO_LARGE)
    return RC_HTTP_TOO_LARGE;
#endif
  if (code == CURLE_OUT_OF_MEMORY) {
    /* libcurl's answer to limits of its own as well: a header line, a paused body that inflates. */
    curl_off_t first_byte = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_STARTTRANSFER_TIME_T, &first_byte);
    int in_headers = first_byte && !transfer->headers_complete;
    return transfer->paused || in_headers ? RC_HTTP_TOO_LARGE : RC_HTTP_NOMEM;
  }
  for (size_t i = 0; i < sizeof tls_failures / sizeof *tls_failures; i++)
    if (code == tls_failures[i])
      return is_broken_handshake(transfer->error) ? RC_HTTP_NETWORK : RC_HTTP_TLS;
  return RC_HTTP_NETWORK;
}

static void conclude(rc_http *engine, rc_transfer *transfer, CURLcode code) {
  if (transfer->failure != RC_HTTP_OK) {
    finish(engine, transfer, transfer->failure, transfer->failure_text);
  } else if (code == CURLE_OK && !transfer->headers_complete) {
    finish(engine, transfer, RC_HTTP_NETWORK, "the connection ended before the headers did");
  } else if (code == CURLE_OK || transfer->gave_up) {
    finish(engine, transfer, RC_HTTP_OK, "");
  } else {
    rc_http_result result = result_of(code, transfer);
    const char *text = transfer->error[0] ? NULL : curl_easy_strerror(code);
    if (result == RC_HTTP_TOO_LARGE)
      text = "more headers, or more of a paused body, than libcurl keeps";
    finish(engine, transfer, result, text);
  }
}

/* ---- Callbacks of libcurl ---- */

static int on_timer(CURLM *multi, long timeout_ms, void *context) {
  rc_http *engine = context;
  (void)multi;
  /* Never early: libcurl does not repeat a timer that found nothing to do. */
  engine->timer_at = timeout_ms > 0 ? monotonic_ms() + timeout_ms + 1 : timeout_ms < 0 ? NEVER : 0;
  return 0;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *unused) {
  rc_http *engine = context;
  rc_transfer *transfer = NULL;
  size_t i = 0;
  (void)unused;
  if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&transfer) == CURLE_OK && transfer)
    transfer->active_at = attended(engine); /* a step of connecting, or of a handshake */
  while (i < engine->socket_count && engine->sockets[i].fd != fd)
    i++;
  if (what == CURL_POLL_REMOVE || what == CURL_POLL_NONE) {
    if (i < engine->socket_count) {
      engine->sockets[i] = engine->sockets[--engine->socket_count];
      engine->sockets_version++;
    }
    return 0;
  }
  if (i == engine->socket_capacity) {
    size_t capacity = engine->socket_capacity ? engine->socket_capacity * 2 : 8;
    rc_http_socket *grown = realloc(engine->sockets, capacity * sizeof *grown);
    if (!grown) {
      engine->out_of_memory = 1; /* rather than -1, which older versions ignore */
      return 0;
    }
    engine->sockets = grown;
    engine->socket_capacity = capacity;
  }
  rc_http_socket *socket = &engine->sockets[i];
  engine->sockets_version++;
  if (i == engine->socket_count) {
    engine->socket_count++;
    *socket = (rc_http_socket){.fd = fd, .id = engine->sockets_version};
  }
  socket->wants_read = (what & CURL_POLL_IN) != 0;
  socket->wants_write = (what & CURL_POLL_OUT) != 0;
  return 0;
}

/* A process that the script starts does not inherit the connection. */
static int on_open(void *context, curl_socket_t fd, curlsocktype purpose) {
  (void)context;
  (void)purpose;
  (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
  return CURL_SOCKOPT_OK;
}

/* What a write callback returns to end its transfer. */
static size_t fail(rc_transfer *transfer, rc_http_result result, const char *text) {
  transfer->failure = result;
  transfer->failure_text = text;
  return 0;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *context) {
  rc_transfer *transfer = context;
  size_t length = size * count; /* `size` is always 1 */
  if (!transfer->easy || length == 0)
    return length;
  transfer->active_at = attended(transfer->engine);
  if (transfer->max_headers && length > transfer->max_headers - transfer->header_bytes)
    return fail(transfer, RC_HTTP_TOO_LARGE, "the header block is too large");
  transfer->header_bytes += length;
  if (transfer->headers_complete)
    return length; /* a trailer */
  if (transfer->block_ended) {
    transfer->block_ended = 0;
    transfer->block.length = 0;
  }
  if (bytes[0] == '\r' || bytes[0] == '\n') {
    long status = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    transfer->block_ended = 1;
    if (status >= 200 || status == 101) { /* 101: nobody asked for it, libcurl takes it as final */
      transfer->status = status;
      transfer->headers_complete = 1;
    }
    return length;
  }
  if (append(&transfer->block, bytes, length) != 0)
    return fail(transfer, RC_HTTP_NOMEM, "out of memory");
  return length;
}

static size_t collect_body(rc_transfer *transfer, const char *bytes, size_t length) {
  size_t room = transfer->max_collected - transfer->body.length;
  size_t kept = length < room ? length : room;
  if (kept && append(&transfer->body, bytes, kept) != 0)
    return fail(transfer, RC_HTTP_NOMEM, "out of memory");
  transfer->dropped += length - kept;
  transfer->received += length;
  if (transfer->dropped <= DROPPED_MAX)
    return length;
  transfer->gave_up = 1;
  return 0;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context) {
  rc_transfer *transfer = context;
  size_t length = size * count; /* `size` is always 1 */
  if (!transfer->easy || length == 0)
    return length;
  transfer->active_at = attended(transfer->engine);
  if (transfer->status / 100 != 2)
    return collect_body(transfer, bytes, length);
  if (transfer->max_body && length > transfer->max_body - transfer->received)
    return fail(transfer, RC_HTTP_TOO_LARGE, "the body is too large");
  if (!transfer->sink.write)
    return collect_body(transfer, bytes, length);
  if (transfer->sink.full && transfer->sink.full(transfer->sink.context)) {
    transfer->paused = 1;
    return CURL_WRITEFUNC_PAUSE;
  }
  if (transfer->sink.write(transfer->sink.context, bytes, length) != 0)
    return fail(transfer, RC_HTTP_REFUSED, "the body was refused");
  transfer->received += length;
  return length;
}

/* ---- The engine ---- */

static pthread_once_t initialised = PTHREAD_ONCE_INIT;
static CURLcode initialisation;

static void initialise(void) {
  initialisation = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static CURLM *new_multi(rc_http *engine) {
  CURLM *multi = curl_multi_init();
  if (!multi)
    return NULL;
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, engine);
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
  curl_multi_setopt(multi, CURLMOPT_TIMERDATA, engine);
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, 64L);
  curl_multi_setopt(multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
#if LIBCURL_VERSION_NUM >= 0x081400
  curl_multi_setopt(multi, CURLMOPT_QUICK_EXIT, 1L); /* see CURLOPT_QUICK_EXIT below */
#endif
  return multi;
}

/* After a fork, in the child: the connections are the parent's, and to close one can end it for the
 * parent, too (TLS says goodbye on it). They are left alone, and the engine begins anew. */
static void leave_parent(rc_http *engine) {
  static struct left_alone {
    struct left_alone *next;
    CURLM *multi;
  } * _Atomic all; /* only pushed to, by any thread: nothing of it counts as leaked */
  if (engine->process == getpid())
    return;
  finish_all(engine, RC_HTTP_NETWORK, "the connection belongs to the parent process");
  struct left_alone *left = malloc(sizeof *left);
  if (left) {
    *left = (struct left_alone){all, engine->multi};
    while (!atomic_compare_exchange_weak(&all, &left->next, left))
      continue;
  }
  engine->process = getpid();
  engine->multi = new_multi(engine); /* without it nothing can be started */
  engine->timer_at = engine->check_at = NEVER;
  engine->socket_count = 0;
  engine->sockets_version++;
}

rc_http *rc_http_new(void) {
  if (pthread_once(&initialised, initialise) != 0 || initialisation != CURLE_OK)
    return NULL;
  rc_http *engine = calloc(1, sizeof *engine);
  if (!engine)
    return NULL;
  engine->multi = new_multi(engine);
  if (!engine->multi) {
    free(engine);
    return NULL;
  }
  engine->process = getpid();
  engine->timer_at = engine->check_at = NEVER;
  engine->clock = engine->attended_until = monotonic_ms();
  return engine;
}

void rc_http_free(rc_http *engine) {
  if (!engine)
    return;
  leave_parent(engine);
  finish_all(engine, RC_HTTP_NETWORK, "closed");
  while (engine->pooled)
    curl_easy_cleanup(engine->pool[--engine->pooled]);
  curl_multi_cleanup(engine->multi); /* may still call on_socket */
  free(engine->sockets);
  free(engine);
}

/* Brings the clocks up to date on entry: see `unattended`. */
static void attend(rc_http *engine) {
  leave_parent(engine);
  engine->clock = monotonic_ms();
  if (engine->clock - LEEWAY_MS > engine->attended_until)
    engine->unattended += engine->clock - LEEWAY_MS - engine->attended_until;
  engine->attended_until = engine->clock;
}

/* When the transfer times out, on the monotonic clock. */
static int64_t timeout_at(const rc_transfer *transfer) {
  if (!transfer->idle_timeout_ms || transfer->paused)
    return transfer->deadline;
  return earlier(transfer->deadline,
                 transfer->active_at + transfer->engine->unattended + transfer->idle_timeout_ms);
}

static void expire(rc_http *engine) {
  if (engine->clock < engine->check_at)
    return;
  engine->check_at = NEVER;
  for (rc_transfer *transfer = engine->running, *next; transfer; transfer = next) {
    int64_t at = timeout_at(transfer);
    next = transfer->next;
    if (at > engine->clock)
      engine->check_at = earlier(engine->check_at, at);
    else if (at == transfer->deadline)
      finish(engine, transfer, RC_HTTP_TIMEOUT, "the exchange took too long");
    else
      finish(engine, transfer, RC_HTTP_TIMEOUT, "nothing was received for too long");
  }
}

/* libcurl's connect timeout runs on while nobody drives it, and fires before it looks at the
 * socket. Where that is the cause, nothing has been sent yet: begin again. */
static int connect_again(rc_transfer *transfer) {
  rc_http *engine = transfer->engine;
  curl_off_t ready = 0;
  int64_t away = engine->unattended - transfer->connect_unattended;
  int64_t attended_for = attended(engine) - transfer->connect_from;
  curl_easy_getinfo(transfer->easy, CURLINFO_PRETRANSFER_TIME_T, &ready);
  if (ready || !away || attended_for >= transfer->connect_timeout_ms)
    return 0;
  transfer->connect_unattended = engine->unattended;
  transfer->error[0] = '\0';
  curl_multi_remove_handle(engine->multi, transfer->easy);
  return curl_multi_add_handle(engine->multi, transfer->easy) == CURLM_OK;
}

static void conclude_all(rc_http *engine) {
  int left;
  for (CURLMsg *message; (message = curl_multi_info_read(engine->multi, &left));) {
    rc_transfer *transfer = NULL;
    CURLcode code = message->data.result;
    if (message->msg != CURLMSG_DONE)
      continue;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
    if (code != CURLE_OPERATION_TIMEDOUT || !connect_again(transfer))
      conclude(engine, transfer, code);
  }
}

static void act(rc_http *engine, curl_socket_t fd, int events) {
  int running;
  CURLMcode code = curl_multi_socket_action(engine->multi, fd, events, &running);
  if (engine->out_of_memory || code == CURLM_OUT_OF_MEMORY)
    finish_all(engine, RC_HTTP_NOMEM, "out of memory");
  else if (code != CURLM_OK)
    finish_all(engine, RC_HTTP_NETWORK, curl_multi_strerror(code));
  engine->out_of_memory = 0;
}

/* Runs libcurl's timer while it is due; a bounded number of times, since it may always be. */
static void act_on_timer(rc_http *engine) {
  for (int round = 0; round < TIMER_ROUNDS && engine->timer_at <= engine->clock; round++) {
    engine->timer_at = NEVER;
    act(engine, CURL_SOCKET_TIMEOUT, 0);
  }
}

static struct pollfd to_poll(const rc_http_socket *socket) {
  int events = (socket->wants_read ? POLLIN : 0) | (socket->wants_write ? POLLOUT : 0);
  return (struct pollfd){.fd = socket->fd, .events = (short)events};
}

static int curl_events(short polled) {
  int events = 0;
  if (polled & (POLLIN | POLLHUP | POLLERR | POLLNVAL))
    events |= CURL_CSELECT_IN;
  if (polled & (POLLOUT | POLLERR | POLLNVAL))
    events |= CURL_CSELECT_OUT;
  return events;
}

void rc_http_wait_many(rc_http *const *engines, size_t count, long timeout_ms) {
  struct pollfd on_stack[POLL_ON_STACK], *polled = on_stack;
  size_t total = 0, capacity = POLL_ON_STACK, filled = 0;
  int64_t now = 0, until = NEVER;
  for (size_t i = 0; i < count; i++) {
    attend(engines[i]);
    now = engines[i]->clock;
    total += engines[i]->socket_count;
    until = earlier(until, earlier(engines[i]->timer_at, engines[i]->check_at));
  }
  if (timeout_ms >= 0)
    until = earlier(until, now + bounded_ms(timeout_ms));
  else if (!total && until == NEVER)
    return;
  if (total > capacity) {
    struct pollfd *allocated = malloc(total * sizeof *allocated);
    if (allocated) {
      polled = allocated;
      capacity = total;
    } else {
      until = earlier(until, now + 10); /* the rest gets its turn: drives look at all sockets */
    }
  }
  for (size_t i = 0; i < count; i++)
    for (size_t j = 0; j < engines[i]->socket_count && filled < capacity; j++)
      polled[filled++] = to_poll(&engines[i]->sockets[j]);
  if (filled || until > now) {
    int wait = until == NEVER ? -1 : (int)bounded_ms(until - now);
    if (poll(polled, (nfds_t)filled, wait) < 0)
      for (size_t i = 0; i < filled; i++)
        polled[i].revents = 0;
  }
  size_t from = 0;
  for (size_t i = 0; i < count; i++) {
    rc_http *engine = engines[i];
    size_t own = engine->socket_count < filled - from ? engine->socket_count : filled - from;
    engine->clock = monotonic_ms();
    for (size_t j = from; j < from + own; j++)
      if (polled[j].revents)
        act(engine, polled[j].fd, curl_events(polled[j].revents));
    from += own;
    act_on_timer(engine);
    conclude_all(engine);
    expire(engine);
    engine->attended_until = monotonic_ms();
  }
  if (polled != on_stack)
    free(polled);
}

void rc_http_wait(rc_http *engine, long timeout_ms) {
  rc_http_wait_many(&engine, 1, timeout_ms);
}

void rc_http_drive(rc_http *engine) {
  rc_http_wait_many(&engine, 1, 0);
}

void rc_http_action(rc_http *engine, int fd, int readable, int writable) {
  attend(engine);
  act(engine, fd, (readable ? CURL_CSELECT_IN : 0) | (writable ? CURL_CSELECT_OUT : 0));
  act_on_timer(engine);
  conclude_all(engine);
  /* No expire: other sockets may hold bytes that only a drive looks for. */
  engine->attended_until = monotonic_ms();
}

long rc_http_timeout(rc_http *engine) {
  int64_t at = earlier(engine->timer_at, engine->check_at);
  if (at == NEVER) {
    engine->attended_until = NEVER;
    return -1;
  }
  int64_t now = monotonic_ms();
  long wait = bounded_ms(at - now);
  engine->attended_until = now + wait;
  return wait;
}

size_t rc_http_sockets(const rc_http *engine, rc_http_socket *sockets, size_t capacity) {
  for (size_t i = 0; i < engine->socket_count && i < capacity; i++)
    sockets[i] = engine->sockets[i];
  return engine->socket_count;
}

uint64_t rc_http_sockets_version(const rc_http *engine) {
  return engine->sockets_version;
}

uint64_t rc_http_finished_count(const rc_http *engine) {
  return engine->finished;
}

/* ---- Starting ---- */

static const struct {
  CURLoption option;
  long value;
} fixed_options[] = {
    {CURLOPT_FOLLOWLOCATION, 0},
    {CURLOPT_SUPPRESS_CONNECT_HEADERS, 1},
    {CURLOPT_SSL_VERIFYPEER, 1},
    {CURLOPT_SSL_VERIFYHOST, 2},
    {CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2},
    {CURLOPT_TCP_KEEPALIVE, 1},
    {CURLOPT_TCP_NODELAY, 1},
};

/* Whether libcurl may be told to leave signals alone. It then neither needs SIGALRM, having its
 * resolver in a thread, nor ignores SIGPIPE, which before 7.88 writes over TLS could raise. */
static int is_free_of_signals(void) {
  const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
  return info->version_num >= 0x075800 || !(info->features & CURL_VERSION_ASYNCHDNS);
}

static CURLcode set_text(CURL *easy, CURLoption option, const char *text) {
  return text ? curl_easy_setopt(easy, option, text) : CURLE_OK;
}

static CURLcode set_method(CURL *easy, const char *method, const char *body, size_t length) {
  CURLcode code = CURLE_OK;
  if (!body && strcmp(method, "GET") == 0)
    return curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
  if (!body && strcmp(method, "HEAD") == 0)
    return curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  int posts = strcmp(method, "POST") == 0;
  if (body || posts) {
    code = curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(body ? length : 0));
    if (code == CURLE_OK)
      code = curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body ? body : "");
  }
  return code == CURLE_OK && !posts ? set_text(easy, CURLOPT_CUSTOMREQUEST, method) : code;
}

static CURLcode configure(rc_transfer *transfer, const rc_http_request *request) {
  CURL *easy = transfer->easy;
  CURLcode code;
  for (size_t i = 0; i < sizeof fixed_options / sizeof *fixed_options; i++)
    curl_easy_setopt(easy, fixed_options[i].option, fixed_options[i].value);
#if LIBCURL_VERSION_NUM >= 0x075700
  /* Otherwise cancels and timeouts wait for getaddrinfo, and that for silent DNS servers. A thread
   * of libcurl's may outlive the engine: whoever unloads libcurl must not (see core.c). */
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, RECEIVE_BUFFER);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, (long)is_free_of_signals());
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, request->connect_timeout_ms);
  /* A libcurl without HTTP/2 refuses this, and does without. */
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
  curl_easy_setopt(easy, CURLOPT_PIPEWAIT, (long)(strncasecmp(request->url, "https:", 6) == 0));
  curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error);
  curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, (long)(request->fresh_connection != 0));
  curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_open);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
#if LIBCURL_VERSION_NUM >= 0x075500
  code = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
  code = curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
  if (request->ca_file)
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL); /* fails where TLS knows no such directory */
  if (code || (code = set_text(easy, CURLOPT_URL, request->url)) ||
      (code = set_text(easy, CURLOPT_ACCEPT_ENCODING, "")) ||
      (code = set_text(easy, CURLOPT_CAINFO, request->ca_file)) ||
      (code = set_text(easy, CURLOPT_SSLCERT, request->client_cert)) ||
      (code = set_text(easy, CURLOPT_SSLKEY, request->client_key)) ||
      (code = set_text(easy, CURLOPT_PROXY, request->proxy)))
    return code;
  return set_method(easy, request->method, transfer->sent_body, request->body_length);
}

static int add_header(rc_transfer *transfer, const char *line) {
  struct curl_slist *longer = curl_slist_append(transfer->headers, line);
  if (!longer)
    return -1;
  transfer->headers = longer;
  return 0;
}

static rc_http_result copy_request(rc_transfer *transfer, const rc_http_request *request) {
  if (strpbrk(request->method, "\r\n "))
    return RC_HTTP_REFUSED;
  /* Without an empty "Expect" libcurl may wait a second for a 100 before it sends a body. */
  if (add_header(transfer, "Expect:") != 0)
    return RC_HTTP_NOMEM;
  for (const char *const *line = request->headers; line && *line; line++) {
    if (strpbrk(*line, "\r\n"))
      return RC_HTTP_REFUSED;
    if (add_header(transfer, *line) != 0)
      return RC_HTTP_NOMEM;
  }
  if (request->body) {
    transfer->sent_body = malloc(request->body_length ? request->body_length : 1);
    if (!transfer->sent_body)
      return RC_HTTP_NOMEM;
    memcpy(transfer->sent_body, request->body, request->body_length);
  }
  transfer->sink = request->sink;
  transfer->max_body = request->max_body;
  transfer->max_headers = request->max_headers;
  transfer->max_collected = request->max_collected;
  transfer->connect_timeout_ms = bounded_ms(request->connect_timeout_ms);
  transfer->idle_timeout_ms = bounded_ms(request->idle_timeout_ms);
  return RC_HTTP_OK;
}

/* Links the transfer in and starts its clocks. */
static void enlist(rc_http *engine, rc_transfer *transfer, long timeout_ms) {
  transfer->engine = engine;
  transfer->started = engine->clock;
  transfer->deadline = timeout_ms ? engine->clock + bounded_ms(timeout_ms) : NEVER;
  transfer->connect_from = transfer->active_at = attended(engine);
  transfer->connect_unattended = engine->unattended;
  transfer->next = engine->running;
  if (transfer->next)
    transfer->next->previous = transfer;
  engine->running = transfer;
  engine->check_at = earlier(engine->check_at, timeout_at(transfer));
}

rc_http_result rc_http_start(rc_http *engine, const rc_http_request *request,
                             rc_transfer **transfer_out) {
  *transfer_out = NULL;
  attend(engine);
  rc_transfer *transfer = calloc(1, sizeof *transfer);
  if (!transfer)
    return RC_HTTP_NOMEM;
  rc_http_result result = copy_request(transfer, request);
  if (result == RC_HTTP_OK) {
    transfer->easy = engine->pooled ? engine->pool[--engine->pooled] : curl_easy_init();
    CURLcode code = transfer->easy ? configure(transfer, request) : CURLE_OUT_OF_MEMORY;
    result = code == CURLE_OUT_OF_MEMORY ? RC_HTTP_NOMEM
             : code != CURLE_OK          ? RC_HTTP_NETWORK
                                         : RC_HTTP_OK;
  }
  if (result == RC_HTTP_OK && curl_multi_add_handle(engine->multi, transfer->easy) != CURLM_OK)
    result = RC_HTTP_NOMEM;
  if (result == RC_HTTP_OK) {
    enlist(engine, transfer, request->timeout_ms);
    *transfer_out = transfer;
    return RC_HTTP_OK;
  }
  if (transfer->easy)
    release_easy(engine, transfer->easy, result);
  release_request(transfer);
  free(transfer);
  return result;
}

/* ---- Transfers ---- */

void rc_transfer_cancel(rc_transfer *transfer) {
  if (transfer->engine)
    finish(transfer->engine, transfer, RC_HTTP_NETWORK, "cancelled");
}

void rc_transfer_free(rc_transfer *transfer) {
  if (!transfer)
    return;
  rc_transfer_cancel(transfer);
  free(transfer->block.bytes);
  free(transfer->body.bytes);
  free(transfer);
}

void rc_transfer_resume(rc_transfer *transfer) {
  rc_http *engine = transfer->engine;
  if (!engine || !transfer->paused)
    return;
  attend(engine);
  if (transfer->engine != engine) /* ended: this is a child of fork */
    return;
  transfer->paused = 0;
  transfer->active_at = attended(engine);
  /* libcurl hands over what it holds at once, but leaves a failure to do so to the caller. */
  CURLcode code = curl_easy_pause(transfer->easy, CURLPAUSE_CONT);
  if (code != CURLE_OK) {
    conclude(engine, transfer, code);
    return;
  }
  engine->timer_at = 0;
  engine->check_at = earlier(engine->check_at, timeout_at(transfer));
}

rc_http_state rc_transfer_state(const rc_transfer *transfer) {
  return transfer->engine ? RC_HTTP_RUNNING : RC_HTTP_DONE;
}

rc_http_result rc_transfer_result(const rc_transfer *transfer) {
  return transfer->result;
}

const char *rc_transfer_error(const rc_transfer *transfer) {
  return transfer->engine ? "" : transfer->error;
}

long rc_transfer_status(const rc_transfer *transfer) {
  return transfer->status;
}

int rc_transfer_headers_complete(const rc_transfer *transfer) {
  return transfer->headers_complete;
}

const char *rc_transfer_header(const rc_transfer *transfer, const char *name, size_t index,
                               size_t *length) {
  size_t name_length = strlen(name);
  if (!transfer->headers_complete || !transfer->block.length)
    return NULL;
  const char *line = transfer->block.bytes, *end = line + transfer->block.length;
  while ((line = memchr(line, '\n', (size_t)(end - line))) && ++line < end) {
    if ((size_t)(end - line) <= name_length || line[name_length] != ':' ||
        strncasecmp(line, name, name_length) != 0 || index-- > 0)
      continue;
    const char *value = line + name_length + 1;
    const char *stop = memchr(value, '\n', (size_t)(end - value));
    stop = stop ? stop : end;
    while (value < stop && strchr(" \t", *value))
      value++;
    while (value < stop && strchr(" \t\r", stop[-1]))
      stop--;
    *length = (size_t)(stop - value);
    return value;
  }
  return NULL;
}

const char *rc_transfer_header_block(const rc_transfer *transfer, size_t *length) {
  *length = transfer->headers_complete ? transfer->block.length : 0;
  return *length ? transfer->block.bytes : "";
}

const char *rc_transfer_body(const rc_transfer *transfer, size_t *length, int *cut) {
  *length = transfer->body.length;
  *cut = transfer->dropped > 0;
  return transfer->body.bytes ? transfer->body.bytes : "";
}

uint64_t rc_transfer_received(const rc_transfer *transfer) {
  return transfer->received;
}

uint64_t rc_transfer_wire_bytes(const rc_transfer *transfer) {
  return transfer->engine ? header_and_body_bytes(transfer->easy) : transfer->wire_bytes;
}

uint64_t rc_transfer_elapsed_ms(const rc_transfer *transfer) {
  return transfer->engine ? (uint64_t)(monotonic_ms() - transfer->started) : transfer->elapsed;
}

int rc_transfer_http_version(const rc_transfer *transfer) {
  return transfer->engine ? version_of(transfer->easy) : transfer->http_version;
}

int rc_transfer_paused(const rc_transfer *transfer) {
  return transfer->paused;
}
