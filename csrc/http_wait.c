/* http_wait.c - see http.h: waiting on engines, by poll(2) or by a foreign loop. */
#define _POSIX_C_SOURCE 200809L

#include "http_private.h"

#include <poll.h>
#include <stdlib.h>

#define POLL_ON_STACK 64

/* Is it the socket of a paused transfer, and of no other? Then it is left alone: libcurl 8.5 goes
 * on watching it, and would read on if told of bytes. */
static bool is_paused(const rc_http *engine, curl_socket_t fd) {
  for (const rc_transfer *transfer = engine->running; transfer != NULL; transfer = transfer->next) {
    if (transfer->fd == fd && transfer->paused) {
      return !engine->multiplex || rc_http_version_of(transfer->easy) < 20;
    }
  }
  return false;
}

static struct pollfd to_poll(const rc_http *engine, const rc_http_socket *socket) {
  int events = (socket->wants_read ? POLLIN : 0) | (socket->wants_write ? POLLOUT : 0);
  int fd = is_paused(engine, socket->fd) ? -1 : socket->fd; /* poll(2) passes over -1 */
  return (struct pollfd){.fd = fd, .events = (short)events};
}

static int curl_events(short polled) {
  int events = 0;
  if ((polled & (POLLIN | POLLHUP | POLLERR | POLLNVAL)) != 0) {
    events |= CURL_CSELECT_IN;
  }
  if ((polled & (POLLOUT | POLLERR | POLLNVAL)) != 0) {
    events |= CURL_CSELECT_OUT;
  }
  return events;
}

/* Brings their clocks up to date. Returns until when to wait for their sockets. */
static int64_t attend_all(rc_http *const *engines, size_t count, long timeout_ms, int64_t *now) {
  int64_t until = NEVER;
  bool has_news = false; /* in a child of fork transfers end as soon as they are looked at */
  *now = 0;
  for (size_t i = 0; i < count; i++) {
    const uint64_t finished = engines[i]->finished;
    rc_http_attend(engines[i]);
    has_news = has_news || engines[i]->finished != finished;
    *now = engines[i]->clock;
    until = earlier(until, earlier(engines[i]->timer_at, engines[i]->check_at));
  }
  if (has_news) {
    return *now;
  }
  return earlier(until, *now + bounded_ms(timeout_ms));
}

/* Writes what to watch, at most `capacity` entries; returns how many. */
static size_t fill(struct pollfd *polled, size_t capacity, rc_http *const *engines, size_t count) {
  size_t filled = 0;
  for (size_t i = 0; i < count; i++) {
    for (size_t j = 0; j < engines[i]->socket_count && filled < capacity; j++) {
      polled[filled++] = to_poll(engines[i], &engines[i]->sockets[j]);
    }
  }
  return filled;
}

static void poll_until(struct pollfd *polled, size_t filled, int64_t until, int64_t now) {
  if (filled == 0 && until <= now) {
    return;
  }
  const int wait = (int)bounded_ms(until - now);
  if (poll(polled, (nfds_t)filled, wait) < 0) {
    for (size_t i = 0; i < filled; i++) {
      polled[i].revents = 0;
    }
  }
}

/* Moves an engine on, the first `count` of whose sockets were polled. */
static void drive_polled(rc_http *engine, const struct pollfd *polled, size_t count) {
  engine->clock = monotonic_ms();
  for (size_t i = 0; i < count; i++) {
    if (polled[i].revents != 0) {
      rc_http_act(engine, polled[i].fd, curl_events(polled[i].revents));
    }
  }
  rc_http_settle(engine);
  rc_http_expire(engine);
  engine->attended_until = monotonic_ms();
}

void rc_http_wait_many(rc_http *const *engines, size_t count, long timeout_ms) {
  struct pollfd on_stack[POLL_ON_STACK];
  struct pollfd *polled = on_stack;
  size_t capacity = POLL_ON_STACK;
  size_t total = 0;
  int64_t now;
  int64_t until = attend_all(engines, count, timeout_ms, &now);
  for (size_t i = 0; i < count; i++) {
    total += engines[i]->socket_count;
  }
  if (total > capacity) {
    struct pollfd *allocated = malloc(total * sizeof *allocated);
    if (allocated != NULL) {
      polled = allocated;
      capacity = total;
    } else {
      until = earlier(until, now + 10); /* looked at again soon: the rest has to wait for memory */
    }
  }
  const size_t filled = fill(polled, capacity, engines, count);
  poll_until(polled, filled, until, now);
  size_t from = 0;
  for (size_t i = 0; i < count; i++) {
    const size_t left = filled - from;
    const size_t own = engines[i]->socket_count < left ? engines[i]->socket_count : left;
    drive_polled(engines[i], polled + from, own);
    from += own;
  }
  if (polled != on_stack) {
    free(polled);
  }
}

void rc_http_drive(rc_http *engine) {
  rc_http_wait_many(&engine, 1, 0);
}

void rc_http_action(rc_http *engine, int fd, bool readable, bool writable) {
  rc_http_attend(engine);
  if (!is_paused(engine, fd)) {
    rc_http_act(engine, fd, (readable ? CURL_CSELECT_IN : 0) | (writable ? CURL_CSELECT_OUT : 0));
  }
  rc_http_settle(engine);
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
    if (is_paused(engine, engine->sockets[i].fd)) {
      continue;
    }
    if (count < capacity) {
      sockets[count] = engine->sockets[i];
    }
    count++;
  }
  return count;
}

uint64_t rc_http_sockets_version(const rc_http *engine) {
  return engine->sockets_version;
}
