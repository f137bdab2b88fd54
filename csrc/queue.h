/* queue.h - a byte FIFO in one growing block. Room freed at the front is reclaimed by moving the
 * rest down. A position counts bytes from the first ever added, so it stays valid across moves.
 * Pure. */
#ifndef RC_QUEUE_H
#define RC_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

/* Zeroed memory is an empty queue. */
typedef struct rc_queue {
  char *memory; /* owned */
  size_t head, tail, capacity;
  uint64_t base; /* the position of memory[0] */
} rc_queue;

/* Makes room for `count` bytes after the last; false without memory. */
bool rc_queue_grow(rc_queue *q, size_t count);

static inline bool rc_queue_reserve(rc_queue *q, size_t count) {
  return q->capacity - q->tail >= count || rc_queue_grow(q, count);
}

/* position: from rc_queue_start to rc_queue_end. */
static inline void *rc_queue_at(const rc_queue *q, uint64_t position) {
  return q->memory + (size_t)(position - q->base);
}

static inline uint64_t rc_queue_start(const rc_queue *q) {
  return q->base + q->head;
}

static inline uint64_t rc_queue_end(const rc_queue *q) {
  return q->base + q->tail;
}

/* position: from rc_queue_start to rc_queue_end. */
static inline void rc_queue_drop_before(rc_queue *q, uint64_t position) {
  q->head = (size_t)(position - q->base);
  if (q->head == q->tail) {
    q->base += q->tail;
    q->head = q->tail = 0;
  }
}

/* Drops all and frees the memory; positions go on from the end. */
void rc_queue_release(rc_queue *q);

#pragma GCC visibility pop

#endif
