/* seen.h - a compact set of 64-bit hashes. Pure. 16 bytes an element at most. */
#ifndef RC_SEEN_H
#define RC_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

/* Zeroed memory is an empty set. */
typedef struct rc_seen {
  uint64_t *slots; /* owned; 0 is a free one */
  size_t capacity; /* a power of two, or 0 */
  size_t count;
  uint64_t key; /* seeds the probe position, so that no server can choose ids that collide */
} rc_seen;

/* The same on every machine and in every run, so that it can be stored. */
uint64_t rc_hash(const void *bytes, size_t length);
uint64_t rc_hash_mix(uint64_t a, uint64_t b);

bool rc_seen_has(const rc_seen *seen, uint64_t hash);

/* Adds the hash; false without memory (the set is then as it was). */
bool rc_seen_add(rc_seen *seen, uint64_t hash);

/* Frees the memory; the set is empty then. */
void rc_seen_clear(rc_seen *seen);

#pragma GCC visibility pop

#endif
