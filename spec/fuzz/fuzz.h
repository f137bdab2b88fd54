/* fuzz.h - what the fuzz targets share. Each is a file with LLVMFuzzerTestOneInput, linked with
 * libFuzzer (`make fuzz`) or with driver.c (`make test`). */
#ifndef RC_FUZZ_H
#define RC_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ends the process where the property does not hold. */
#define CHECK(condition) ((condition) ? (void)0 : fuzz_fail(__FILE__, __LINE__, #condition))

static inline _Noreturn void fuzz_fail(const char *file, int line, const char *condition) {
  (void)fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
  abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An exact copy, so that the sanitizer sees a byte read too far. */
static inline char *fuzz_copy(const void *bytes, size_t length) {
  char *copy = malloc(length > 0 ? length : 1);
  CHECK(copy != NULL);
  if (length > 0) {
    memcpy(copy, bytes, length);
  }
  return copy;
}

/* The head of an input: bytes that choose; 0 once they are used up. */
typedef struct fuzz_input {
  const uint8_t *data;
  size_t size;
} fuzz_input;

static inline unsigned fuzz_byte(fuzz_input *input) {
  if (input->size == 0) {
    return 0;
  }
  input->size--;
  return *input->data++;
}

/* The bytes up to a line feed, which is dropped. */
static inline fuzz_input fuzz_line(fuzz_input *input) {
  const uint8_t *end = input->size > 0 ? memchr(input->data, '\n', input->size) : NULL;
  fuzz_input line = {input->data, end != NULL ? (size_t)(end - input->data) : input->size};
  const size_t used = line.size + (end != NULL);
  if (used > 0) {
    input->data += used;
    input->size -= used;
  }
  return line;
}

/* The length of the next chunk, from 1 to 16 and now and then longer, of `left` bytes (at least
 * one); the sequence depends on the seed alone. */
static inline size_t fuzz_chunk(uint32_t *seed, size_t left) {
  *seed = *seed * 1664525u + 1013904223u;
  const uint32_t n = *seed >> 8;
  const size_t length = n % 4 == 0 ? n / 4 % 200 + 1 : n / 4 % 16 + 1;
  return length < left ? length : left;
}

#endif
