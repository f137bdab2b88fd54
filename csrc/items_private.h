/* items_private.h - what the files of items.h share: items.c (the bytes and the items in them),
 * items_outside.c (the document outside the array, and what is captured of it) and items_error.c
 * (what went wrong, in words). */
#ifndef RC_ITEMS_PRIVATE_H
#define RC_ITEMS_PRIVATE_H

#include "items.h"
#include "pointer.h"
#include "queue.h"
#include "scan.h"

#pragma GCC visibility push(hidden)

#define ARRAY_POINTER 0u /* patterns[0] is the array's, the captures' follow */
#define MAX_PATTERNS (RC_ITEMS_CAPTURES + 1)

typedef uint32_t pattern_set; /* a bit for each pattern */

/* An item that waits or arrives; its fields follow. */
typedef struct entry {
  uint64_t offset; /* of its first byte in the document */
  uint32_t length;
  uint32_t field_count;
  rc_field fields[];
} entry;

/* The text of an item that was kept. */
typedef struct edge {
  char *bytes; /* owned */
  size_t length, capacity;
} edge;

struct rc_items {
  rc_json json;
  char *text; /* owned: all the pointers' bytes, and the id's */
  rc_pointer patterns[MAX_PATTERNS];
  unsigned pattern_count;
  rc_capture captures[RC_ITEMS_CAPTURES];
  uint64_t max_bytes;
  size_t max_item;

  rc_queue bytes;       /* of the document, from the first one still needed */
  rc_scanner scanner;   /* of the items */
  rc_queue entries;     /* of the items that wait and, after them, of the one that is arriving */
  uint64_t waiting_end; /* the position in entries after those of the items that wait */
  uint64_t item_offset; /* of the arriving item; its entry stands at waiting_end */

  /* The patterns whose path so far is the tokenizer's. Level 1 is the root container; open[level]
   * are those that match up to the container at that level, index[level] counts its elements if it
   * is an array, `matching` are those that match up to the next value. */
  pattern_set open[RC_POINTER_SEGMENTS + 2];
  uint64_t index[RC_POINTER_SEGMENTS + 2];
  bool is_array[RC_POINTER_SEGMENTS + 2];
  pattern_set matching;
  unsigned longest; /* segments of the longest pattern */
  bool in_array, in_item, array_found, finished;
  bool held, null_found; /* an item was held (see hold); null stood in the array's place */
  uint64_t held_offset;  /* of the item that was last held */
  uint64_t null_offset;
  unsigned array_level; /* of the array of items, while in it */

  bool containers;       /* may be captured, too */
  pattern_set capturing; /* patterns whose arrays and objects are open */
  struct {
    uint64_t offset; /* of its first byte */
    unsigned level;  /* containers around it */
  } container[MAX_PATTERNS];

  uint64_t found;
  rc_pointer id; /* without segments: an item's id is its text */
  rc_opening opening;
  bool edges;
  edge first, last; /* kept only if `edges` is set */
  char *document;   /* owned: all that was fed until an item is found; NULL if it is too long */
  rc_items_error error;
  uint64_t error_offset;
  unsigned error_pattern;
  rc_json_type error_type;
};

static inline bool rc_items_fail(rc_items *items, rc_items_error error, uint64_t offset) {
  items->error = error;
  items->error_offset = offset;
  return false;
}

/* The same at the tokenizer's token, because of a pattern. */
static inline bool rc_items_fail_at(rc_items *items, rc_items_error error, unsigned pattern) {
  items->error_pattern = pattern;
  items->error_type = items->json.type;
  return rc_items_fail(items, error, items->json.start);
}

/* The tokenizer's token, while it is in `bytes`. */
static inline const char *rc_items_token(const rc_items *items) {
  return rc_queue_at(&items->bytes, items->json.start);
}

static inline size_t rc_items_token_length(const rc_items *items) {
  return (size_t)(items->json.offset - items->json.start);
}

/* -- items_outside.c ------------------------------------------------------------------------ */

/* Takes an event of the document outside the array of items; false on an error. */
bool rc_items_outside(rc_items *items, rc_json_event event);

/* The pattern whose array or object, of those that are open, began first. */
unsigned rc_items_outermost_capture(const rc_items *items);

#pragma GCC visibility pop

#endif
