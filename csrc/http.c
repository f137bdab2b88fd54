/* See http.h. libcurl is driven by curl_multi_socket_action only, so that one engine can be waited
 * on by poll(2) and by a foreign loop alike. No callback of libcurl's calls libcurl's multi API. */
#define _POSIX_C_SOURCE 200809L

#include "http_private.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POLL_ON_STACK 64
#define LEEWAY_MS 1000 /* charged to timeouts even if the caller was away for longer */
#define TIMER_ROUNDS 8

/* ---- Ends of transfers ---- */

void rc_http_release_request(rc_transfer *transfer) {
  curl_slist_free_all(transfer->headers);
  free(transfer->sent_body);
  transfer->headers = NULL;
  transfer->sent_body = NULL;
}

/* Takes the transfer out of its engine. A message of NULL keeps what libcurl wrote. */
static void finish(rc_http *engine, rc_transfer *transfer, rc_http_result result,
                   const char *message) {
  CURL *easy = transfer->easy;
  const uint64_t wire_bytes = rc_http_wire_bytes_of(easy);
  if (wire_bytes > transfer->wire_bytes)
    transfer->wire_bytes = wire_bytes;
  transfer->http_version = rc_http_version_of(easy);
  transfer->elapsed = (uint64_t)(monotonic_ms() - transfer->started);
  transfer->result = result;
  transfer->paused = 0;
  transfer->easy = NULL; /* from here on the callbacks ignore what libcurl may still have */
  if (engine->process == getpid()) {
    curl_multi_remove_handle(engine->multi, easy);
    curl_easy_cleanup(easy);
  }
  rc_http_release_request(transfer);
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
    else if (code == CURLE_BAD_FUNCTION_ARGUMENT && !transfer->error[0] &&
             !transfer->headers_complete) /* libcurl's word for it */
      text = "the server sent a line among its headers that is none";
    else if (strncmp(transfer->error, "Unsupported proxy", 17) == 0) /* and all of its URL */
      text = "the proxy's URL is malformed, or of a kind that libcurl does not know";
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
  if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&transfer) == CURLE_OK && transfer) {
    transfer->active_at = attended(engine); /* a step of connecting, or of a handshake */
    if (what != CURL_POLL_REMOVE)           /* which may come after its next one was named */
      transfer->fd = fd;
  }
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
  curl_multi_setopt(multi, CURLMOPT_PIPELINING,
                    engine->multiplex ? (long)CURLPIPE_MULTIPLEX : (long)CURLPIPE_NOTHING);
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

rc_http *rc_http_new(int multiplex) {
  if (pthread_once(&initialised, initialise) != 0 || initialisation != CURLE_OK)
    return NULL;
  rc_http *engine = calloc(1, sizeof *engine);
  if (!engine)
    return NULL;
  engine->multiplex = multiplex;
  engine->share = curl_share_init();
  engine->multi = engine->share ? new_multi(engine) : NULL;
  if (!engine->multi) {
    curl_share_cleanup(engine->share);
    free(engine);
    return NULL;
  }
  /* Where it is refused, each connection shakes hands in full. */
  curl_share_setopt(engine->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
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
  curl_multi_cleanup(engine->multi); /* may still call on_socket */
  /* Refused in a child of fork while the parent's handles use it. */
  curl_share_cleanup(engine->share);
  free(engine->sockets);
  free(engine);
}

void rc_http_attend(rc_http *engine) {
  leave_parent(engine);
  engine->clock = monotonic_ms();
  if (engine->clock - LEEWAY_MS > engine->attended_until)
    engine->unattended += engine->clock - LEEWAY_MS - engine->attended_until;
  engine->attended_until = engine->clock;
}

int64_t rc_http_timeout_at(const rc_transfer *transfer) {
  if (!transfer->idle_timeout_ms || transfer->paused)
    return transfer->deadline;
  return earlier(transfer->deadline,
                 transfer->active_at + transfer->engine->unattended + transfer->idle_timeout_ms);
}

static void time_out(rc_http *engine, rc_transfer *transfer, int is_whole) {
  char line[128];
  const int64_t ms = is_whole ? transfer->deadline - transfer->started : transfer->idle_timeout_ms;
  snprintf(line, sizeof line,
           is_whole ? "the exchange took more than %g seconds"
                    : "nothing was received for %g seconds",
           (double)ms / 1000);
  finish(engine, transfer, RC_HTTP_TIMEOUT, line);
}

static void expire(rc_http *engine) {
  if (engine->clock < engine->check_at)
    return;
  engine->check_at = NEVER;
  for (rc_transfer *transfer = engine->running, *next; transfer; transfer = next) {
    int64_t at = rc_http_timeout_at(transfer);
    next = transfer->next;
    if (at > engine->clock)
      engine->check_at = earlier(engine->check_at, at);
    else
      time_out(engine, transfer, at == transfer->deadline);
  }
}

/* libcurl's connect timeout runs on while nobody drives it, and fires before it looks at the
 * socket. Where that is the cause, nothing has been sent yet: begin again, with another handle (see
 * `easy`), since a proxy's answer may have come to this one. */
static int connect_again(rc_transfer *transfer) {
  rc_http *engine = transfer->engine;
  curl_off_t ready = 0;
  int64_t away = engine->unattended - transfer->connect_unattended;
  int64_t attended_for = attended(engine) - transfer->connect_from;
  curl_easy_getinfo(transfer->easy, CURLINFO_PRETRANSFER_TIME_T, &ready);
  if (ready || !away || attended_for >= transfer->connect_timeout_ms)
    return 0;
  CURL *another = curl_easy_duphandle(transfer->easy);
  if (!another)
    return 0;
  curl_multi_remove_handle(engine->multi, transfer->easy);
  curl_easy_cleanup(transfer->easy);
  transfer->easy = another;
  transfer->connect_unattended = engine->unattended;
  transfer->error[0] = '\0';
  curl_easy_setopt(another, CURLOPT_SHARE, engine->share); /* which is not copied */
  return curl_multi_add_handle(engine->multi, another) == CURLM_OK;
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
  CURLMcode code = CURLM_OUT_OF_MEMORY; /* after a fork there may be none */
  if (engine->multi)
    code = curl_multi_socket_action(engine->multi, fd, events, &running);
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

/* Is it the socket of a paused transfer, and of no other? Then it is left alone: libcurl 8.5 goes
 * on watching it, and would read on if it were told that there is something. */
static int is_paused(const rc_http *engine, curl_socket_t fd) {
  for (const rc_transfer *transfer = engine->running; transfer; transfer = transfer->next)
    if (transfer->fd == fd && transfer->paused)
      return !engine->multiplex || rc_http_version_of(transfer->easy) < 20;
  return 0;
}

static struct pollfd to_poll(const rc_http *engine, const rc_http_socket *socket) {
  int events = (socket->wants_read ? POLLIN : 0) | (socket->wants_write ? POLLOUT : 0);
  int fd = is_paused(engine, socket->fd) ? -1 : socket->fd; /* poll(2) passes over -1 */
  return (struct pollfd){.fd = fd, .events = (short)events};
}

/* Can anything of theirs become ready? */
static int are_watched(rc_http *const *engines, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (rc_http_sockets(engines[i], NULL, 0) > 0)
      return 1;
  return 0;
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
  int has_news = 0; /* in a child of fork transfers end as soon as they are looked at */
  for (size_t i = 0; i < count; i++) {
    const uint64_t finished = engines[i]->finished;
    rc_http_attend(engines[i]);
    has_news = has_news || engines[i]->finished != finished;
    now = engines[i]->clock;
    total += engines[i]->socket_count;
    until = earlier(until, earlier(engines[i]->timer_at, engines[i]->check_at));
  }
  if (has_news)
    until = now;
  else if (timeout_ms >= 0)
    until = earlier(until, now + bounded_ms(timeout_ms));
  else if (until == NEVER && !are_watched(engines, count))
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
      polled[filled++] = to_poll(engines[i], &engines[i]->sockets[j]);
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
  rc_http_attend(engine);
  if (!is_paused(engine, fd))
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
  size_t count = 0;
  for (size_t i = 0; i < engine->socket_count; i++) {
    if (is_paused(engine, engine->sockets[i].fd))
      continue;
    if (count < capacity)
      sockets[count] = engine->sockets[i];
    count++;
  }
  return count;
}

uint64_t rc_http_sockets_version(const rc_http *engine) {
  return engine->sockets_version;
}

uint64_t rc_http_finished_count(const rc_http *engine) {
  return engine->finished;
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
  rc_http_attend(engine);
  if (transfer->engine != engine) /* ended: this is a child of fork */
    return;
  transfer->paused = 0;
  engine->sockets_version++;
  transfer->active_at = attended(engine);
  /* libcurl hands over what it holds at once, but leaves a failure to do so to the caller. */
  CURLcode code = curl_easy_pause(transfer->easy, CURLPAUSE_CONT);
  if (code != CURLE_OK) {
    conclude(engine, transfer, code);
    return;
  }
  engine->timer_at = 0;
  engine->check_at = earlier(engine->check_at, rc_http_timeout_at(transfer));
}
