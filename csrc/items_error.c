/* items_error.c - see items.h. */
#include "items_private.h"

#include <stdio.h>
#include <string.h>

rc_items_error rc_items_failure(const rc_items *items) {
  return items->error;
}

uint64_t rc_items_error_offset(const rc_items *items) {
  return items->error_offset;
}

const char *rc_items_error_name(const rc_items *items) {
  switch (items->error) {
  case RC_ITEMS_OK:
    return "ok";
  case RC_ITEMS_MALFORMED:
    return rc_json_error_name(items->json.error);
  case RC_ITEMS_NOT_ARRAY:
    return "not_array";
  case RC_ITEMS_NULL_ARRAY:
    return "null_array";
  case RC_ITEMS_NOT_OBJECT:
    return "not_object";
  case RC_ITEMS_NOT_SCALAR:
    return "not_scalar";
  case RC_ITEMS_SECOND:
    return "second_value";
  case RC_ITEMS_NOT_FOUND:
    return "not_found";
  case RC_ITEMS_ITEM_SIZE:
    return "item_too_large";
  case RC_ITEMS_BODY_SIZE:
    return "body_too_large";
  case RC_ITEMS_NO_MEMORY:
    return "no_memory";
  }
  return "unknown";
}

/* Writes "/a/b", or "the top of the document", for a pattern. What does not fit is cut. */
static void name_pattern(const rc_pointer *pattern, char *name, size_t size) {
  size_t at = 0;
  if (pattern->count == 0) {
    (void)snprintf(name, size, "the top of the document");
    return;
  }
  for (unsigned i = 0; i < pattern->count && at + 3 < size; i++) {
    const rc_segment *segment = &pattern->segments[i];
    name[at++] = '/';
    for (size_t j = 0; j < segment->length && at + 3 < size; j++) {
      const char c = segment->text[j];
      const bool escaped = c == '~' || c == '/';
      if (escaped) {
        name[at++] = '~';
      }
      name[at++] = !escaped ? c : c == '~' ? '0' : '1';
    }
  }
  name[at] = '\0';
}

void rc_items_describe(const rc_items *items, char *line, size_t size) {
  char where[128];
  const char *got = rc_json_type_name(items->error_type);
  name_pattern(&items->patterns[items->error_pattern], where, sizeof where);
  switch (items->error) {
  case RC_ITEMS_OK:
    (void)snprintf(line, size, "no error");
    return;
  case RC_ITEMS_MALFORMED:
    rc_json_describe(&items->json, line, size);
    if (items->in_item) {
      const size_t length = strlen(line);
      (void)snprintf(line + length, size - length, ", in item %llu",
                     (unsigned long long)items->found + 1);
    }
    return;
  case RC_ITEMS_NOT_ARRAY:
  case RC_ITEMS_NULL_ARRAY:
    (void)snprintf(line, size, "expected an array at %s, got %s", where, got);
    return;
  case RC_ITEMS_NOT_OBJECT:
    (void)snprintf(line, size, "expected an object as item %llu of the array at %s, got %s",
                   (unsigned long long)items->found + 1, where, got);
    return;
  case RC_ITEMS_NOT_SCALAR:
    if (items->containers) {
      (void)snprintf(line, size, "expected a value at %s beside the array of items, not around it",
                     where);
    } else {
      (void)snprintf(line, size, "expected a string, number, boolean or null at %s, got %s", where,
                     got);
    }
    return;
  case RC_ITEMS_SECOND:
    (void)snprintf(line, size, "expected one value at %s, got a second one", where);
    return;
  case RC_ITEMS_NOT_FOUND:
    (void)snprintf(line, size, "expected an array at %s, got the end of the document", where);
    return;
  case RC_ITEMS_ITEM_SIZE:
    (void)snprintf(line, size, "an item, key or value is longer than %zu bytes", items->max_item);
    return;
  case RC_ITEMS_BODY_SIZE:
    (void)snprintf(line, size, "the document is longer than %llu bytes",
                   (unsigned long long)items->max_bytes);
    return;
  case RC_ITEMS_NO_MEMORY:
    (void)snprintf(line, size, "out of memory");
    return;
  }
}
