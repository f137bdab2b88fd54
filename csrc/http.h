/* http.h - HTTP requests over one libcurl multi handle, waited on by poll(2) or by a foreign event
 * loop.
 *
 * An engine and its transfers belong to one thread at a time. Only the sinks are called from here,
 * and a sink must not call back into the engine. A name that is being resolved when its transfer
 * ends leaves libcurl's resolver thread behind until the system's resolver gives up: whatever links
 * this must stay loaded (see core.c).
 *
 * A child of fork can go on using an engine, and free it: running transfers fail there with
 * RC_HTTP_NETWORK, and the parent's connections are left alone. */
#ifndef RC_HTTP_H
#define RC_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

/* Kept-alive connections, TLS sessions and the sockets they wait on. Freed by rc_http_free. */
typedef struct rc_http rc_http;

/* One request and its response. Freed by rc_transfer_free, before or after its engine. */
typedef struct rc_transfer rc_transfer;

/* Where the body of a 2xx answer goes as it arrives. Called from inside rc_http_drive, _wait_many,
 * _action and rc_transfer_resume only. */
typedef struct rc_http_sink {
  /* Takes the bytes, at least one, whole; false ends the transfer with RC_HTTP_REFUSED. */
  bool (*write)(void *context, const char *bytes, size_t length);
  /* True: no more for now, and the transfer pauses until rc_transfer_resume. NULL: never full. */
  bool (*full)(void *context);
  void *context; /* must outlive the running transfer */
} rc_http_sink;

/* What to send, and the limits of the answer. Everything is copied by rc_http_start. */
typedef struct rc_http_request {
  const char *method, *url;   /* http and https only; redirects are not followed */
  const char *const *headers; /* "Name: value" lines, NULL-terminated; may be NULL */
  const char *body;           /* NULL: none */
  size_t body_length;
  const char *ca_file;                  /* the only authorities trusted; NULL: libcurl's defaults */
  const char *client_cert, *client_key; /* PEM files, or NULL */
  const char *proxy;                    /* NULL: from the environment; "": none */
  /* Resolving, connecting and TLS; 0: no limit. Counted as idle_timeout_ms is. */
  long connect_timeout_ms;
  /* Ends it with RC_HTTP_TIMEOUT after this long without a byte; 0: never. Time does not count
   * while paused, nor after the first second of a gap between two calls. */
  long idle_timeout_ms;
  long timeout_ms;       /* the whole exchange, pauses included; 0: none */
  bool fresh_connection; /* not one that was used before */
  uint64_t max_body;     /* bytes of a 2xx body after decompression; 0: any number */
  size_t max_headers;    /* bytes of all header lines; 0: libcurl's own limits only */
  size_t max_collected;  /* bytes kept of a collected body */
  /* write NULL: every body is collected. Else only those of answers other than 2xx are. */
  rc_http_sink sink;
} rc_http_request;

typedef enum {
  RC_HTTP_OK,      /* a whole answer, whatever its status */
  RC_HTTP_NETWORK, /* no connection, a broken one, a malformed or an incomplete answer */
  RC_HTTP_TIMEOUT,
  RC_HTTP_TLS,       /* a handshake or certificate that will fail again */
  RC_HTTP_TOO_LARGE, /* over max_body, max_headers or a limit of libcurl's */
  RC_HTTP_PROXY,    /* it answered CONNECT with another status than 2xx: rc_transfer_proxy_status */
  RC_HTTP_ENCODING, /* a body that cannot be decompressed */
  RC_HTTP_REFUSED,  /* by the sink, or by rc_http_start: a line break in a method or header */
  RC_HTTP_NOMEM
} rc_http_result;

/* A socket that a foreign loop has to watch. If an fd comes back under a new id, replace its watch
 * even if the events are the same: it is another socket, or was unwatched meanwhile. */
typedef struct rc_http_socket {
  int fd;
  bool wants_read, wants_write;
  uint64_t id;
} rc_http_socket;

/* multiplex: transfers over HTTP/2 share a connection. What arrives for a paused one is then held
 * in memory, since libcurl reads the connection for the others: not for bodies of any length. NULL
 * if memory is out or libcurl does not initialise. */
rc_http *rc_http_new(bool multiplex);

/* Closes every connection. Transfers still running become done with RC_HTTP_NETWORK, "closed". */
void rc_http_free(rc_http *engine);

/* Makes *transfer, which the caller owns, and queues it; the next drive, wait or action sends it.
 * Anything but RC_HTTP_OK: *transfer is NULL and nothing has changed. */
rc_http_result rc_http_start(rc_http *engine, const rc_http_request *request,
                             rc_transfer **transfer);

/* Does what can be done without blocking: at most one poll(2), none if nothing is under way. */
void rc_http_drive(rc_http *engine);

/* Waits until something can be done on one of them, timeout_ms (0 or more) are over or a signal
 * arrives, then drives them all. With nothing under way it sleeps for timeout_ms. */
void rc_http_wait_many(rc_http *const *engines, size_t count, long timeout_ms);

/* How many transfers have become done since rc_http_new, in whatever way. */
uint64_t rc_http_finished_count(const rc_http *engine);

/* For a foreign loop: watch rc_http_sockets and call rc_http_action when one is ready; arm a timer
 * of rc_http_timeout and call rc_http_drive when it fires. Ask again for the timeout after every
 * call above or below, and for the sockets when their version has changed. */

/* The number of sockets; the first `capacity` of them are written to `sockets`. */
size_t rc_http_sockets(const rc_http *engine, rc_http_socket *sockets, size_t capacity);
uint64_t rc_http_sockets_version(const rc_http *engine);

/* Milliseconds until rc_http_drive wants to be called, or -1 for never. Counts as a promise to
 * wait for that long: this time is charged to the idle timeouts. */
long rc_http_timeout(rc_http *engine);

/* An error or hang-up on the socket is both readable and writable. */
void rc_http_action(rc_http *engine, int fd, bool readable, bool writable);

/* Ends the transfer if it is running; calls no sink and sends no request. What it has received
 * stays readable. */
void rc_transfer_cancel(rc_transfer *transfer);

/* Cancels and frees. NULL is allowed. */
void rc_transfer_free(rc_transfer *transfer);

/* Pointers that the accessors return belong to the transfer; those to an unfinished header block or
 * body last until its engine is next called. */
bool rc_transfer_is_done(const rc_transfer *transfer);
rc_http_result rc_transfer_result(const rc_transfer *transfer); /* RC_HTTP_OK while running */
const char *rc_transfer_error(const rc_transfer *transfer);     /* one line, "" if all is well */
long rc_transfer_status(const rc_transfer *transfer);           /* 0 before the final headers */
long rc_transfer_proxy_status(const rc_transfer *transfer);     /* with RC_HTTP_PROXY; else 0 */

/* The value of the final response's next header of that name (case ignored), without the blanks
 * around it and not NUL-terminated; NULL if there is none. *at is 0 for the first call, and is
 * moved on. */
const char *rc_transfer_header(const rc_transfer *transfer, const char *name, size_t *at,
                               size_t *length);

/* The final response's status line and headers as received, without the empty line. */
const char *rc_transfer_header_block(const rc_transfer *transfer, size_t *length);

/* The collected body, never NULL and not NUL-terminated. Of more than max_collected bytes the rest
 * is dropped and *cut set; after a further MiB the connection is given up, the result still OK. */
const char *rc_transfer_body(const rc_transfer *transfer, size_t *length, bool *cut);

uint64_t rc_transfer_wire_bytes(const rc_transfer *transfer); /* headers and body, as received */
uint64_t rc_transfer_elapsed_ms(const rc_transfer *transfer); /* from start until done, or now */

bool rc_transfer_paused(const rc_transfer *transfer);

/* Lets a paused transfer go on; may feed the sink, pause again or end the transfer at once. */
void rc_transfer_resume(rc_transfer *transfer);

#pragma GCC visibility pop

#endif
