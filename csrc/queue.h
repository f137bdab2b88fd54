/* queue.h - bytes in one block of memory: what has left at the front is moved over when room is
 * needed. Positions are counted from the first byte ever, so they stay good. Pure. */
#ifndef RC_QUEUE_H
#define RC_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

/* Zeroed memory is an empty one. */
typedef struct rc_queue {
  char *memory; /* owned */
  size_t head, tail, capacity;
  uint64_t base; /* the position of memory[0] */
} rc_queue;

/* Makes room for `count` bytes behind the last one; false without memory. */
bool rc_queue_grow(rc_queue *q, size_t count);

static inline bool rc_queue_reserve(rc_queue *q, size_t count) {
  return q->capacity - q->tail >= count || rc_queue_grow(q, count);
}

static inline void *rc_queue_at(const rc_queue *q, uint64_t position) {
  return q->memory + (size_t)(position - q->base);
}

static inline uint64_t rc_queue_start(const rc_queue *q) {
  return q->base + q->head;
}

static inline uint64_t rc_queue_end(const rc_queue *q) {
  return q->base + q->tail;
}

static inline void rc_queue_drop_before(rc_queue *q, uint64_t position) {
  q->head = (size_t)(position - q->base);
  if (q->head == q->tail) {
    q->base += q->tail;
    q->head = q->tail = 0;
  }
}

/* Drops all and gives the memory back. */
void rc_queue_release(rc_queue *q);

#pragma GCC visibility pop

#endif
