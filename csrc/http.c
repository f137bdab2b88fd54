/* http.c - see http.h: the engine, and how transfers end.
 *
 * libcurl is driven by curl_multi_socket_action only, so that one engine can be waited on by
 * poll(2) and by a foreign loop alike. No callback of libcurl's calls libcurl's multi API. */
#define _POSIX_C_SOURCE 200809L

#include "http_private.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LEEWAY_MS 1000 /* charged to timeouts even if the caller was away for longer */
#define TIMER_ROUNDS 8
#define LINE_SIZE 64 /* of a text that `wording` makes */

/* -- ends of transfers ---------------------------------------------------------------------- */

void rc_http_release_request(rc_transfer *transfer) {
  curl_slist_free_all(transfer->headers);
  free(transfer->sent_body);
  transfer->headers = NULL;
  transfer->sent_body = NULL;
}

/* Takes the transfer out of its engine. A NULL message keeps what libcurl wrote. */
static void finish(rc_http *engine, rc_transfer *transfer, rc_http_result result,
                   const char *message) {
  CURL *easy = transfer->easy;
  const uint64_t wire_bytes = rc_http_wire_bytes_of(easy);
  if (wire_bytes > transfer->wire_bytes) {
    transfer->wire_bytes = wire_bytes;
  }
  transfer->elapsed = (uint64_t)(monotonic_ms() - transfer->started);
  transfer->result = result;
  transfer->paused = false;
  transfer->easy = NULL; /* from here on the callbacks ignore what libcurl may still have */
  if (engine->process == getpid()) {
    curl_multi_remove_handle(engine->multi, easy);
    curl_easy_cleanup(easy);
  }
  rc_http_release_request(transfer);
  if (transfer->previous != NULL) {
    transfer->previous->next = transfer->next;
  } else {
    engine->running = transfer->next;
  }
  if (transfer->next != NULL) {
    transfer->next->previous = transfer->previous;
  }
  transfer->previous = transfer->next = NULL;
  transfer->engine = NULL;
  if (engine->running == NULL) {
    engine->check_at = NEVER;
  }
  engine->finished++;
  if (message != NULL) {
    snprintf(transfer->error, sizeof transfer->error, "%s", message);
  }
  for (char *end; (end = strpbrk(transfer->error, "\r\n")) != NULL;) {
    *end = ' '; /* older libcurls have texts of several lines */
  }
}

static void finish_all(rc_http *engine, rc_http_result result, const char *message) {
  while (engine->running != NULL) {
    finish(engine, engine->running, result, message);
  }
}

/* libcurl reports handshakes that the network broke like those that a certificate broke. The signs
 * are OpenSSL's, GnuTLS's, and libcurl's own, of newer versions. */
static bool is_broken_handshake(const char *error) {
  static const char *const signs[] = {
      "SSL_ERROR_SYSCALL", "reset by peer",           "unexpected eof", "pull function",
      "push function",     "non-properly terminated", "Send failure",   "Recv failure"};
  for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
    if (strstr(error, signs[i]) != NULL) {
      return true;
    }
  }
  return false;
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

static bool is_of_tls(CURLcode code, const char *error) {
  for (size_t i = 0; i < sizeof tls_failures / sizeof *tls_failures; i++) {
    if (code == tls_failures[i]) {
      return true;
    }
  }
  /* The code of libcurl 8.16 and later for a key that cannot be used. */
  return code == CURLE_BAD_FUNCTION_ARGUMENT && strstr(error, "private key") != NULL;
}

static rc_http_result result_of(CURLcode code, const rc_transfer *transfer) {
  if (code == CURLE_OPERATION_TIMEDOUT) {
    return RC_HTTP_TIMEOUT;
  }
  if (transfer->proxy_status != 0) {
    return RC_HTTP_PROXY;
  }
  /* No callback of ours refused the bytes, so libcurl's decompressor did. */
  if (code == CURLE_BAD_CONTENT_ENCODING || code == CURLE_WRITE_ERROR) {
    return RC_HTTP_ENCODING;
  }
#if LIBCURL_VERSION_NUM >= 0x080600
  if (code == CURLE_TOO_LARGE) {
    return RC_HTTP_TOO_LARGE;
  }
#endif
  if (code == CURLE_OUT_OF_MEMORY) {
    /* libcurl's code for limits of its own, too: a header line, a paused body that inflates. */
    curl_off_t answer_began = transfer->header_bytes > 0;
#if LIBCURL_VERSION_NUM < 0x081500 /* which sets it where connecting fails, too */
    curl_easy_getinfo(transfer->easy, CURLINFO_STARTTRANSFER_TIME_T, &answer_began);
#endif
    const bool in_headers = answer_began > 0 && !transfer->headers_complete;
    return transfer->paused || in_headers ? RC_HTTP_TOO_LARGE : RC_HTTP_NOMEM;
  }
  if (code == CURLE_SSL_CONNECT_ERROR && is_broken_handshake(transfer->error)) {
    return RC_HTTP_NETWORK;
  }
  return is_of_tls(code, transfer->error) ? RC_HTTP_TLS : RC_HTTP_NETWORK;
}

/* The status with which a proxy refused to tunnel; 0 if none did. */
static long refusal_of_proxy(const rc_transfer *transfer) {
  long status = 0;
  curl_easy_getinfo(transfer->easy, CURLINFO_HTTP_CONNECTCODE, &status);
  return !transfer->headers_complete && status >= 300 ? status : 0;
}

/* What to say of it; NULL: what libcurl wrote. `line` is for a text that is made. */
static const char *wording(const rc_transfer *transfer, CURLcode code, rc_http_result result,
                           char line[LINE_SIZE]) {
  const bool is_silent = transfer->error[0] == '\0';
  if (result == RC_HTTP_TOO_LARGE) {
    return "more headers, or more of a paused body, than libcurl keeps";
  }
  if (result == RC_HTTP_PROXY) {
    snprintf(line, LINE_SIZE, "the proxy answered %ld", transfer->proxy_status);
    return line;
  }
  if (code == CURLE_WRITE_ERROR) { /* libcurl's text speaks of disks */
    return "bytes follow what was compressed, or cannot be decompressed";
  }
  if (code == CURLE_BAD_FUNCTION_ARGUMENT && is_silent &&
      !transfer->headers_complete) { /* libcurl's code for it */
    return "the server sent a line among its headers that is none";
  }
  if (strncmp(transfer->error, "Unsupported proxy", 17) == 0) { /* which goes on with its URL */
    return "the proxy's URL is malformed, or of a kind that libcurl does not know";
  }
  return is_silent ? curl_easy_strerror(code) : NULL;
}

/* Ends a transfer that libcurl is done with: CURLcode -> result and text. */
static void conclude(rc_http *engine, rc_transfer *transfer, CURLcode code) {
  if (transfer->failure != RC_HTTP_OK) {
    finish(engine, transfer, transfer->failure, transfer->failure_text);
  } else if (code == CURLE_OK && !transfer->headers_complete) {
    finish(engine, transfer, RC_HTTP_NETWORK, "the connection ended before the headers did");
  } else if (code == CURLE_OK || transfer->gave_up) {
    finish(engine, transfer, RC_HTTP_OK, "");
  } else {
    char line[LINE_SIZE];
    transfer->proxy_status = refusal_of_proxy(transfer);
    const rc_http_result result = result_of(code, transfer);
    finish(engine, transfer, result, wording(transfer, code, result, line));
  }
}

/* -- libcurl's callbacks -------------------------------------------------------------------- */

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
  if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&transfer) == CURLE_OK &&
      transfer != NULL) {
    transfer->active_at = attended(engine); /* a step of connecting, or of a handshake */
    if (what != CURL_POLL_REMOVE) {         /* may come after its next socket was named */
      transfer->fd = fd;
    }
  }
  while (i < engine->socket_count && engine->sockets[i].fd != fd) {
    i++;
  }
  if (what == CURL_POLL_REMOVE || what == CURL_POLL_NONE) {
    if (i < engine->socket_count) {
      engine->sockets[i] = engine->sockets[--engine->socket_count];
      engine->sockets_version++;
    }
    return 0;
  }
  if (i == engine->socket_capacity) {
    size_t capacity = engine->socket_capacity > 0 ? engine->socket_capacity * 2 : 8;
    rc_http_socket *grown = realloc(engine->sockets, capacity * sizeof *grown);
    if (grown == NULL) {
      engine->out_of_memory = true; /* rather than -1, which older versions ignore */
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

/* -- the engine ----------------------------------------------------------------------------- */

static pthread_once_t initialised = PTHREAD_ONCE_INIT;
static CURLcode initialisation;

static void initialise(void) {
  initialisation = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static CURLM *new_multi(rc_http *engine) {
  CURLM *multi = curl_multi_init();
  if (multi == NULL) {
    return NULL;
  }
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, engine);
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
  curl_multi_setopt(multi, CURLMOPT_TIMERDATA, engine);
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, 64L);
  curl_multi_setopt(multi, CURLMOPT_PIPELINING,
                    engine->multiplex ? (long)CURLPIPE_MULTIPLEX : (long)CURLPIPE_NOTHING);
#if LIBCURL_VERSION_NUM >= 0x081400
  curl_multi_setopt(multi, CURLMOPT_QUICK_EXIT, 1L); /* see `configure` in http_request.c */
#endif
  return multi;
}

/* In a child of fork the connections are the parent's, and closing one can end it for the parent,
 * too (TLS says goodbye on it). They are left alone, and the engine begins anew. */
static void leave_parent(rc_http *engine) {
  static struct left_alone {
    struct left_alone *next;
    CURLM *multi;
  } * _Atomic all; /* only pushed to, by any thread: nothing of it counts as leaked */
  if (engine->process == getpid()) {
    return;
  }
  finish_all(engine, RC_HTTP_NETWORK, "the connection belongs to the parent process");
  struct left_alone *left = malloc(sizeof *left);
  if (left != NULL) {
    *left = (struct left_alone){all, engine->multi};
    while (!atomic_compare_exchange_weak(&all, &left->next, left)) {
      continue;
    }
  }
  engine->process = getpid();
  engine->multi = new_multi(engine); /* NULL: nothing can be started */
  engine->timer_at = engine->check_at = NEVER;
  engine->socket_count = 0;
  engine->sockets_version++;
}

rc_http *rc_http_new(bool multiplex) {
  if (pthread_once(&initialised, initialise) != 0 || initialisation != CURLE_OK) {
    return NULL;
  }
  rc_http *engine = calloc(1, sizeof *engine);
  if (engine == NULL) {
    return NULL;
  }
  engine->multiplex = multiplex;
  engine->share = curl_share_init();
  engine->multi = engine->share != NULL ? new_multi(engine) : NULL;
  if (engine->multi == NULL) {
    curl_share_cleanup(engine->share);
    free(engine);
    return NULL;
  }
  /* If this is refused, each connection makes a full handshake. */
  curl_share_setopt(engine->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
  engine->process = getpid();
  engine->timer_at = engine->check_at = NEVER;
  engine->clock = engine->attended_until = monotonic_ms();
  return engine;
}

void rc_http_free(rc_http *engine) {
  if (engine == NULL) {
    return;
  }
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
  if (engine->clock - LEEWAY_MS > engine->attended_until) {
    engine->unattended += engine->clock - LEEWAY_MS - engine->attended_until;
  }
  engine->attended_until = engine->clock;
}

int64_t rc_http_timeout_at(const rc_transfer *transfer) {
  if (transfer->idle_timeout_ms == 0 || transfer->paused) {
    return transfer->deadline;
  }
  return earlier(transfer->deadline,
                 transfer->active_at + transfer->engine->unattended + transfer->idle_timeout_ms);
}

static void time_out(rc_http *engine, rc_transfer *transfer, bool is_whole) {
  char line[128];
  const int64_t ms = is_whole ? transfer->deadline - transfer->started : transfer->idle_timeout_ms;
  snprintf(line, sizeof line,
           is_whole ? "the exchange took more than %g seconds"
                    : "nothing was received for %g seconds",
           (double)ms / 1000);
  /* This connection is not reused, nor are those that were idle: see `configure` in
   * http_request.c. */
  curl_easy_setopt(transfer->easy, CURLOPT_FORBID_REUSE, 1L);
  engine->silent_at = engine->clock;
  finish(engine, transfer, RC_HTTP_TIMEOUT, line);
}

void rc_http_expire(rc_http *engine) {
  if (engine->clock < engine->check_at) {
    return;
  }
  engine->check_at = NEVER;
  for (rc_transfer *transfer = engine->running, *next; transfer != NULL; transfer = next) {
    int64_t at = rc_http_timeout_at(transfer);
    next = transfer->next;
    if (at > engine->clock) {
      engine->check_at = earlier(engine->check_at, at);
    } else {
      time_out(engine, transfer, at == transfer->deadline);
    }
  }
}

/* libcurl's connect timeout, its only one here, runs on while nobody drives it, and fires before it
 * looks at the socket. If that is the cause, nothing has been sent yet, or on a connection that has
 * died and libcurl was about to send it again: begin again, with another handle (see `easy`), since
 * a proxy's answer may have come to this one. CURLINFO_PRETRANSFER_TIME_T says nothing of it: 8.21
 * sets that at a timeout, too. */
static bool connect_again(rc_transfer *transfer) {
  rc_http *engine = transfer->engine;
  int64_t away = engine->unattended - transfer->connect_unattended;
  int64_t attended_for = attended(engine) - transfer->connect_from;
  /* With header bytes libcurl has sent it and asks again by itself: see rc_http_on_header. */
  if (transfer->header_bytes > 0 || away == 0 || attended_for >= transfer->connect_timeout_ms) {
    return false;
  }
  CURL *another = curl_easy_duphandle(transfer->easy);
  if (another == NULL) {
    return false;
  }
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
  for (CURLMsg *message; (message = curl_multi_info_read(engine->multi, &left)) != NULL;) {
    rc_transfer *transfer = NULL;
    CURLcode code = message->data.result;
    if (message->msg != CURLMSG_DONE) {
      continue;
    }
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
    if (code != CURLE_OPERATION_TIMEDOUT || !connect_again(transfer)) {
      conclude(engine, transfer, code);
    }
  }
}

void rc_http_act(rc_http *engine, curl_socket_t fd, int events) {
  int running;
  CURLMcode code = CURLM_OUT_OF_MEMORY; /* after a fork there may be none */
  if (engine->multi != NULL) {
    code = curl_multi_socket_action(engine->multi, fd, events, &running);
  }
  if (engine->out_of_memory || code == CURLM_OUT_OF_MEMORY) {
    finish_all(engine, RC_HTTP_NOMEM, "out of memory");
  } else if (code != CURLM_OK) {
    finish_all(engine, RC_HTTP_NETWORK, curl_multi_strerror(code));
  }
  engine->out_of_memory = false;
}

/* Runs libcurl's timer while it is due; a bounded number of times, since it may always be. */
static void act_on_timer(rc_http *engine) {
  for (int round = 0; round < TIMER_ROUNDS && engine->timer_at <= engine->clock; round++) {
    engine->timer_at = NEVER;
    rc_http_act(engine, CURL_SOCKET_TIMEOUT, 0);
  }
}

void rc_http_settle(rc_http *engine) {
  act_on_timer(engine);
  conclude_all(engine);
}

uint64_t rc_http_finished_count(const rc_http *engine) {
  return engine->finished;
}

/* -- transfers ------------------------------------------------------------------------------ */

void rc_transfer_cancel(rc_transfer *transfer) {
  if (transfer->engine != NULL) {
    finish(transfer->engine, transfer, RC_HTTP_NETWORK, "cancelled");
  }
}

void rc_transfer_free(rc_transfer *transfer) {
  if (transfer == NULL) {
    return;
  }
  rc_transfer_cancel(transfer);
  free(transfer->block.bytes);
  free(transfer->superseded.bytes);
  free(transfer->body.bytes);
  free(transfer);
}

void rc_transfer_resume(rc_transfer *transfer) {
  rc_http *engine = transfer->engine;
  if (engine == NULL || !transfer->paused) {
    return;
  }
  rc_http_attend(engine);
  if (transfer->engine != engine) { /* ended: this is a child of fork */
    return;
  }
  transfer->paused = false;
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
