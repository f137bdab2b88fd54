/* driver.c - runs a fuzz target without libFuzzer, as a test program: over every seed in the
 * directory SEEDS, then over MUTATIONS random mutations of them, always the same ones, in which
 * words of the dictionary WORDS occur. Answers TAP. */
#define _POSIX_C_SOURCE 200809L

#include <dirent.h>

#include "fuzz.h"

#ifndef SEEDS /* as for one of the targets; the Makefile says it for each */
#define SEEDS "build/fuzz/seeds/json"
#define WORDS "spec/fuzz/json.dict"
#define MUTATIONS 20000
#endif

#define LARGEST 8192 /* bytes of a mutated input */

typedef struct text {
  uint8_t *bytes; /* owned */
  size_t length;
} text;

typedef struct list {
  text texts[2048];
  size_t count;
} list;

static uint32_t state = 1;

static size_t below(size_t n) {
  CHECK(n > 0);
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state % n;
}

static void add(list *to, const void *bytes, size_t length) {
  CHECK(to->count < sizeof to->texts / sizeof *to->texts);
  to->texts[to->count++] = (text){(uint8_t *)fuzz_copy(bytes, length), length};
}

static void drop(list *old) {
  for (size_t i = 0; i < old->count; i++) {
    free(old->texts[i].bytes);
  }
}

static void read_file(list *to, const char *path) {
  static char bytes[1 << 20];
  FILE *file = fopen(path, "rb");
  CHECK(file != NULL);
  const size_t length = fread(bytes, 1, sizeof bytes, file);
  CHECK(length < sizeof bytes && fclose(file) == 0);
  add(to, bytes, length);
}

static int is_visible(const struct dirent *entry) {
  return entry->d_name[0] != '.';
}

static void read_seeds(list *seeds, const char *directory) {
  struct dirent **entries;
  const int count = scandir(directory, &entries, is_visible, alphasort);
  CHECK(count > 0);
  for (int i = 0; i < count; i++) {
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/%s", directory, entries[i]->d_name);
    read_file(seeds, path);
    free(entries[i]);
  }
  free(entries);
}

/* The strings between quotes, with \", \\ and \xNN. */
static void read_dictionary(list *words, const char *path) {
  char line[256];
  FILE *file = fopen(path, "r");
  CHECK(file != NULL);
  while (fgets(line, sizeof line, file) != NULL) {
    char word[256];
    size_t length = 0;
    const char *p = line[0] == '#' ? NULL : strchr(line, '"');
    for (p = p != NULL ? p + 1 : ""; *p != '"' && *p != '\0'; p++) {
      if (*p == '\\' && p[1] == 'x') {
        const char digits[] = {p[2], p[3], '\0'};
        word[length++] = (char)strtoul(digits, NULL, 16);
        p += 3;
      } else {
        p += *p == '\\';
        word[length++] = *p;
      }
    }
    if (length > 0) {
      add(words, word, length);
    }
  }
  CHECK(fclose(file) == 0 && words->count > 0);
}

/* Puts `length` bytes in the place of `old` ones at `at`, as far as there is room. */
static size_t replace(uint8_t *bytes, size_t size, size_t at, size_t old, const uint8_t *with,
                      size_t length) {
  if (size - old + length > LARGEST) {
    return size;
  }
  memmove(bytes + at + length, bytes + at + old, size - at - old);
  memmove(bytes + at, with, length);
  return size - old + length;
}

static size_t mutate(uint8_t *bytes, size_t size, const list *seeds, const list *words) {
  static uint8_t piece[LARGEST];
  const size_t at = below(size + 1);
  const size_t left = size - at;
  const text *word = &words->texts[below(words->count)];
  const text *other = &seeds->texts[below(seeds->count)];
  switch (below(7)) {
  case 0: /* one byte becomes another */
    piece[0] = (uint8_t)below(256);
    return replace(bytes, size, at, left > 0, piece, 1);
  case 1: /* a bit flips */
    if (left > 0) {
      bytes[at] ^= (uint8_t)(1u << below(8));
    }
    return size;
  case 2: /* some bytes go */
    return replace(bytes, size, at, left < 8 ? left : below(8) + 1, piece, 0);
  case 3: /* a word comes in, or replaces as much */
    return replace(bytes, size, at, below(2) == 0 && left >= word->length ? word->length : 0,
                   word->bytes, word->length);
  case 4: { /* a piece is repeated */
    const size_t length = left > 0 ? below(left < 256 ? left : 256) + 1 : 0;
    memcpy(piece, bytes + at, length);
    return replace(bytes, size, below(size + 1), 0, piece, length);
  }
  case 5: /* the rest goes */
    return below(4) == 0 ? at : size;
  default: { /* a piece of another seed */
    const size_t from = below(other->length + 1);
    const size_t most = other->length - from;
    const size_t length = most > 0 ? below(most < 512 ? most : 512) + 1 : 0;
    return replace(bytes, size, at, 0, other->bytes + from, length);
  }
  }
}

static void run(const uint8_t *bytes, size_t length) {
  char *exact = fuzz_copy(bytes, length);
  CHECK(LLVMFuzzerTestOneInput((const uint8_t *)exact, length) == 0);
  free(exact);
}

int main(void) {
  static uint8_t bytes[2 * LARGEST];
  static list seeds;
  static list words;
  read_seeds(&seeds, SEEDS);
  read_dictionary(&words, WORDS);
  for (size_t i = 0; i < seeds.count; i++) {
    run(seeds.texts[i].bytes, seeds.texts[i].length);
  }
  printf("ok 1 - %zu seeds\n", seeds.count);
  for (unsigned long i = 0; i < MUTATIONS; i++) {
    const text *seed = &seeds.texts[below(seeds.count)];
    size_t length = seed->length < LARGEST ? seed->length : LARGEST;
    memcpy(bytes, seed->bytes, length);
    for (size_t rounds = below(4) + 1; rounds > 0; rounds--) {
      length = mutate(bytes, length, &seeds, &words);
    }
    run(bytes, length);
  }
  printf("ok 2 - %d mutations of them\n1..2\n", MUTATIONS);
  drop(&words);
  drop(&seeds);
  return 0;
}
