/* queue.c - see queue.h. */
#include "queue.h"

#include <stdlib.h>
#include <string.h>

#define QUEUE_LEAST ((size_t)4 << 10)
#define QUEUE_LARGE ((size_t)64 << 10) /* from here on a queue grows by an eighth */

/* Moves the bytes to the front, and grows the block unless that made room enough and at least a
 * quarter as many bytes had been dropped, which pays for the move. A large block grows by an eighth
 * instead of doubling. */
bool rc_queue_grow(rc_queue *q, size_t count) {
  const size_t used = q->tail - q->head;
  const bool is_room_in_front = q->capacity - used >= count && q->head >= used / 4;
  if (q->head > 0) {
    memmove(q->memory, q->memory + q->head, used);
    q->base += q->head;
    q->head = 0;
    q->tail = used;
  }
  if (is_room_in_front) {
    return true;
  }
  if (q->capacity > SIZE_MAX / 4 || count > SIZE_MAX / 4) {
    return false;
  }
  size_t capacity = q->capacity;
  do {
    capacity += capacity < QUEUE_LEAST   ? QUEUE_LEAST
                : capacity < QUEUE_LARGE ? capacity
                                         : capacity / 8;
  } while (capacity - used < count);
  char *memory = realloc(q->memory, capacity);
  if (memory == NULL) {
    return false;
  }
  q->memory = memory;
  q->capacity = capacity;
  return true;
}

void rc_queue_release(rc_queue *q) {
  free(q->memory);
  *q = (rc_queue){.base = rc_queue_end(q)};
}
