/* http_private.h - what the files of http.h share: http.c (the engine, and how transfers end),
 * http_request.c (how they begin), http_response.c (what they receive) and http_wait.c (waiting).
 */
#ifndef RC_HTTP_PRIVATE_H
#define RC_HTTP_PRIVATE_H

#include "http.h"

#include <curl/curl.h>
#include <limits.h>
#include <sys/types.h>
#include <time.h>

#pragma GCC visibility push(hidden)

#define NEVER INT64_MAX
#define RECEIVE_BUFFER 65536 /* libcurl's; also what a paused transfer may still inflate */

struct buffer {
  char *bytes; /* owned */
  size_t length, capacity;
};

struct rc_http {
  CURLM *multi;
  CURLSH *share;           /* owned; the TLS sessions, for handles and connections to come */
  rc_http_socket *sockets; /* owned; what libcurl wants watched */
  size_t socket_count, socket_capacity;
  uint64_t sockets_version, finished;
  rc_transfer *running; /* a list; the callers own its members */
  int64_t timer_at;     /* when libcurl wants its timer */
  int64_t check_at;     /* no timeout of ours expires before */
  int64_t clock;        /* monotonic milliseconds, as of the last entry */
  /* Idle timeouts run on a clock that stops while the caller is busy elsewhere and nobody reads:
   * attended() is clock - unattended. */
  int64_t unattended, attended_until;
  int64_t silent_at; /* when a transfer last timed out, monotonic; 0: never */
  bool multiplex;
  bool out_of_memory; /* a callback could not keep a socket */
  pid_t process;      /* whose connections these are */
};

struct rc_transfer {
  rc_http *engine; /* not owned; NULL when done, as is `easy` */
  rc_transfer *previous, *next;
  /* Owned. A handle for each transfer: on a reused one, libcurl 7.84 to 8.0 appends a folded line
   * that begins a header block to the previous answer's last header, which it has freed. */
  CURL *easy;
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
  bool headers_complete, block_ended, paused, gave_up;
  long status, proxy_status;
  struct buffer block, body;
  struct buffer superseded; /* the block before libcurl asked again: a caller may point into it */
  uint64_t received, wire_bytes, elapsed;
  curl_socket_t fd; /* the last that libcurl named for it */
  char error[CURL_ERROR_SIZE];
};

static inline int64_t monotonic_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline int64_t earlier(int64_t a, int64_t b) {
  return a < b ? a : b;
}

static inline long bounded_ms(int64_t duration) {
  return duration <= 0 ? 0 : duration < INT_MAX ? (long)duration : INT_MAX;
}

static inline int64_t attended(const rc_http *engine) {
  return engine->clock - engine->unattended;
}

/* -- http.c --------------------------------------------------------------------------------- */

/* Brings the clocks up to date on entry: see `unattended`. */
void rc_http_attend(rc_http *engine);

/* Frees what libcurl reads while the transfer runs. */
void rc_http_release_request(rc_transfer *transfer);

/* When the transfer times out, on the monotonic clock. */
int64_t rc_http_timeout_at(const rc_transfer *transfer);

/* Has libcurl look at the socket (CURL_CSELECT_IN, _OUT), or at its timer (CURL_SOCKET_TIMEOUT). */
void rc_http_act(rc_http *engine, curl_socket_t fd, int events);

/* Runs libcurl's timer if it is due, and concludes the transfers that have ended. */
void rc_http_settle(rc_http *engine);

/* Ends the transfers whose time is over. */
void rc_http_expire(rc_http *engine);

/* -- http_response.c ------------------------------------------------------------------------ */

/* libcurl's callbacks, whose context is the transfer. */
size_t rc_http_on_header(char *bytes, size_t size, size_t count, void *context);
size_t rc_http_on_body(char *bytes, size_t size, size_t count, void *context);

/* What a handle has brought. */
uint64_t rc_http_wire_bytes_of(CURL *easy);
int rc_http_version_of(CURL *easy);

#pragma GCC visibility pop

#endif
