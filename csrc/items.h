/* items.h - finds the array at a JSON Pointer in a stream of bytes and cuts it into items.
 *
 * Pure: no Lua, no I/O. An item is handed over the moment its closing brace arrives, indexed by its
 * fields; values at other pointers, outside the array, are captured. Everything is validated to the
 * last byte. Memory: the items not yet taken, the item or captured value that is arriving, the
 * values captured, and the chunk being fed; until an item is found, also RC_ITEMS_DOCUMENT_SIZE. */
#ifndef RC_ITEMS_H
#define RC_ITEMS_H

#include "field.h"

#pragma GCC visibility push(hidden)

#define RC_ITEMS_CAPTURES 16
#define RC_ITEMS_OPENING 16          /* items that a document is recognised by */
#define RC_ITEMS_DOCUMENT_SIZE 16384 /* bytes of a document that is kept until an item is found */

typedef enum rc_items_error {
  RC_ITEMS_OK,
  RC_ITEMS_MALFORMED,  /* not JSON: rc_items_error_name and _describe say why */
  RC_ITEMS_NOT_ARRAY,  /* something else stands at the pointer */
  RC_ITEMS_NULL_ARRAY, /* null does, and the document is whole */
  RC_ITEMS_NOT_OBJECT, /* an item is something else */
  RC_ITEMS_NOT_SCALAR, /* a captured value is an array or an object, and must not be */
  RC_ITEMS_SECOND,     /* a pointer leads to a second value (a key occurs twice) */
  RC_ITEMS_NOT_FOUND,  /* the document ended and no array stood at the pointer */
  RC_ITEMS_ITEM_SIZE,  /* an item, a key or a captured value is longer than max_item */
  RC_ITEMS_BODY_SIZE,  /* the document is longer than max_bytes */
  RC_ITEMS_NO_MEMORY
} rc_items_error;

typedef struct rc_items_options {
  const char *pointer; /* of the array; "" is the document itself. Copied */
  size_t pointer_length;
  const char *const *captures; /* pointers of values outside the array; one that leads to the array
                                  or into it is never found. Copied */
  const size_t *capture_lengths;
  unsigned capture_count;
  uint64_t max_bytes; /* of the document */
  size_t max_item;    /* bytes; at most UINT32_MAX / 2 */
  unsigned max_depth; /* counted from the document */
  const char *id;     /* pointer, in an item, of its id; NULL: its text is its id. Copied */
  size_t id_length;
  bool edges;      /* keep the text of the first and of the last item, see rc_items_edge */
  bool containers; /* captured values may be arrays and objects, unless the array is in them */
} rc_items_options;

/* What a document begins with: the same for the same items in the same order. */
typedef struct rc_opening {
  unsigned count; /* items that are in it, at most RC_ITEMS_OPENING */
  uint64_t first; /* the hash of the first one's id */
  uint64_t all;   /* of all their ids, in their order */
} rc_opening;

typedef struct rc_item {
  rc_object object;
  uint64_t offset; /* of its first byte in the document */
} rc_item;

typedef struct rc_capture {
  bool found;
  rc_json_type type;
  unsigned flags;
  char *bytes; /* the value's text, a string's with quotes; owned by the rc_items */
  size_t length;
} rc_capture;

typedef struct rc_items rc_items;

/* NULL without memory, or with *problem set (static text) if a pointer is ill-formed, or too
 * many. */
rc_items *rc_items_new(const rc_items_options *options, const char **problem);

/* NULL is allowed. */
void rc_items_free(rc_items *items);

/* Takes the bytes; false on an error, which stays. Items found before it can still be taken. What
 * is wrong with an item's last bytes may be found with those that follow, or by rc_items_finish. */
bool rc_items_feed(rc_items *items, const char *bytes, size_t length);

/* Says that the document ends here; false if that is an error. */
bool rc_items_finish(rc_items *items);

/* Shows the next whole item, valid until the next call that changes `items`; false: none waits. */
bool rc_items_peek(const rc_items *items, rc_item *item);

/* Drops the item that rc_items_peek shows. */
void rc_items_take(rc_items *items);

/* Bytes that are kept until items are taken: whole items, their index, and all that came after. */
size_t rc_items_waiting(const rc_items *items);

/* How many items have been found, taken or not. */
uint64_t rc_items_found(const rc_items *items);

/* What the items found so far begin with, taken or not. */
rc_opening rc_items_opening(const rc_items *items);

/* The text of the first or of the last item found, valid until the next call that changes `items`;
 * NULL if none was found, or without `edges`. */
const char *rc_items_edge(const rc_items *items, bool last, size_t *length);

/* For error reports. The whole text of a document of at most RC_ITEMS_DOCUMENT_SIZE bytes that
 * ended without items; what had been fed when something other than an array stood in its place;
 * else NULL. A feed after finish takes white space and may change it. */
const char *rc_items_document(const rc_items *items, size_t *length);

/* What the capture at this index (as in options->captures) found; lasts as long as `items`. */
const rc_capture *rc_items_captured(const rc_items *items, unsigned index);

/* RC_ITEMS_OK while all is well. */
rc_items_error rc_items_failure(const rc_items *items);

/* A static name, such as "not_array" or "bad_utf8"; the byte offset; one readable line. */
const char *rc_items_error_name(const rc_items *items);
uint64_t rc_items_error_offset(const rc_items *items);
void rc_items_describe(const rc_items *items, char *line, size_t size);

#pragma GCC visibility pop

#endif
