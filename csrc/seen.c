/* seen.c - see seen.h. Open addressing with linear probing, at most half full. */
#include "seen.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HASH_STEP 0x632BE59BD9B4E019u

uint64_t rc_hash_mix(uint64_t a, uint64_t b) {
  uint64_t h = (a ^ b) * 0x9E3779B97F4A7C15u;
  h ^= h >> 32;
  h *= 0xD6E8FEB86659FD93u;
  return h ^ h >> 29;
}

/* Eight bytes in an order that does not depend on the machine's; compilers make one load of it. */
static uint64_t read_word(const unsigned char *p) {
  return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 |
         (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 | (uint64_t)p[7] << 56;
}

uint64_t rc_hash(const void *bytes, size_t length) {
  const unsigned char *p = bytes;
  uint64_t h = rc_hash_mix(0x2545F4914F6CDD1Du, length);
  for (; length >= 8; p += 8, length -= 8) {
    h = rc_hash_mix(h, read_word(p)) + HASH_STEP;
  }
  if (length > 0) {
    unsigned char last[8] = {0};
    memcpy(last, p, length);
    h = rc_hash_mix(h, read_word(last)) + HASH_STEP;
  }
  return h;
}

/* 0 marks a free slot, so it is stored as 1. */
static uint64_t stored(uint64_t hash) {
  return hash != 0 ? hash : 1;
}

static size_t find(const rc_seen *seen, uint64_t hash) {
  size_t at = (size_t)rc_hash_mix(hash, seen->key) & (seen->capacity - 1);
  while (seen->slots[at] != 0 && seen->slots[at] != hash) {
    at = (at + 1) & (seen->capacity - 1);
  }
  return at;
}

bool rc_seen_has(const rc_seen *seen, uint64_t hash) {
  hash = stored(hash);
  return seen->capacity > 0 && seen->slots[find(seen, hash)] == hash;
}

/* A seed that no server can predict. */
static uint64_t new_key(const void *memory) {
  struct timespec now = {0};
  (void)timespec_get(&now, TIME_UTC);
  return rc_hash_mix((uint64_t)(uintptr_t)memory,
                     (uint64_t)now.tv_sec << 30 ^ (uint64_t)now.tv_nsec);
}

static bool grow(rc_seen *seen) {
  if (seen->capacity > SIZE_MAX / 4 / sizeof *seen->slots) {
    return false;
  }
  rc_seen grown = {NULL, seen->capacity > 0 ? seen->capacity * 2 : 64, seen->count, seen->key};
  grown.slots = calloc(grown.capacity, sizeof *grown.slots);
  if (grown.slots == NULL) {
    return false;
  }
  if (seen->capacity == 0) {
    grown.key = new_key(grown.slots);
  }
  for (size_t i = 0; i < seen->capacity; i++) {
    if (seen->slots[i] != 0) {
      grown.slots[find(&grown, seen->slots[i])] = seen->slots[i];
    }
  }
  free(seen->slots);
  *seen = grown;
  return true;
}

bool rc_seen_add(rc_seen *seen, uint64_t hash) {
  hash = stored(hash);
  if (seen->count >= seen->capacity / 2 && !grow(seen)) {
    return false;
  }
  const size_t at = find(seen, hash);
  if (seen->slots[at] == 0) {
    seen->slots[at] = hash;
    seen->count++;
  }
  return true;
}

void rc_seen_clear(rc_seen *seen) {
  free(seen->slots);
  seen->slots = NULL;
  seen->capacity = seen->count = 0;
}
