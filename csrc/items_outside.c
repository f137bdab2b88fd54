/* items_outside.c - see items_private.h. */
#include "items_private.h"

#include <stdlib.h>
#include <string.h>

/* Captures the value from `offset` up to the tokenizer's position. */
static bool store_capture(rc_items *items, unsigned index, uint64_t offset) {
  rc_capture *capture = &items->captures[index];
  const size_t length = (size_t)(items->json.offset - offset);
  if (capture->found) {
    return rc_items_fail_at(items, RC_ITEMS_SECOND, index + 1);
  }
  if (length > items->max_item) {
    return rc_items_fail(items, RC_ITEMS_ITEM_SIZE, offset);
  }
  capture->bytes = malloc(length);
  if (capture->bytes == NULL) {
    return rc_items_fail(items, RC_ITEMS_NO_MEMORY, offset);
  }
  memcpy(capture->bytes, rc_queue_at(&items->bytes, offset), length);
  capture->length = length;
  capture->type = items->json.type;
  capture->flags = items->json.flags;
  capture->found = true;
  return true;
}

/* An array or object begins that pattern `i` matches. */
static bool open_capture(rc_items *items, unsigned i, unsigned level) {
  if (!items->containers) {
    return rc_items_fail_at(items, RC_ITEMS_NOT_SCALAR, i);
  }
  if (items->captures[i - 1].found) {
    return rc_items_fail_at(items, RC_ITEMS_SECOND, i);
  }
  items->capturing |= (pattern_set)1 << i;
  items->container[i].offset = items->json.start;
  items->container[i].level = level;
  return true;
}

/* An array or object inside `level` containers ends. */
static bool close_captures(rc_items *items, unsigned level) {
  for (unsigned i = 1; items->capturing != 0 && i < items->pattern_count; i++) {
    if ((items->capturing >> i & 1u) != 0 && items->container[i].level == level) {
      items->capturing &= ~((pattern_set)1 << i);
      if (!store_capture(items, i - 1, items->container[i].offset)) {
        return false;
      }
    }
  }
  return true;
}

unsigned rc_items_outermost_capture(const rc_items *items) {
  unsigned outermost = 0;
  for (unsigned i = 1; i < items->pattern_count; i++) {
    if ((items->capturing >> i & 1u) != 0 &&
        (outermost == 0 || items->container[i].offset < items->container[outermost].offset)) {
      outermost = i;
    }
  }
  return outermost;
}

/* Sets `matching` for the child of the container at `level` that has this name. */
static void match_key(rc_items *items, unsigned level) {
  items->matching = 0;
  for (unsigned i = 0; i < items->pattern_count; i++) {
    const rc_pointer *pattern = &items->patterns[i];
    if ((items->open[level] >> i & 1u) != 0 && pattern->count >= level &&
        rc_segment_is_key(&pattern->segments[level - 1], rc_items_token(items) + 1,
                          rc_items_token_length(items) - 2,
                          (items->json.flags & RC_JSON_ESCAPED) != 0)) {
      items->matching |= (pattern_set)1 << i;
    }
  }
}

/* Sets `matching` for the next element of the array at `level`. */
static void match_element(rc_items *items, unsigned level) {
  items->matching = 0;
  for (unsigned i = 0; i < items->pattern_count; i++) {
    const rc_pointer *pattern = &items->patterns[i];
    if ((items->open[level] >> i & 1u) != 0 && pattern->count >= level &&
        rc_segment_is_index(&pattern->segments[level - 1], items->index[level])) {
      items->matching |= (pattern_set)1 << i;
    }
  }
  items->index[level]++;
}

/* A value begins (OPEN) or is whole (SCALAR) outside the array of items, inside `level`
 * containers. */
static bool meet_value(rc_items *items, bool opens, unsigned level) {
  if (items->is_array[level]) { /* never at level 0 */
    match_element(items, level);
  }
  for (unsigned i = 0; i < items->pattern_count; i++) {
    if ((items->matching >> i & 1u) == 0 || items->patterns[i].count != level) {
      continue;
    }
    if (i != ARRAY_POINTER) {
      if (opens ? !open_capture(items, i, level)
                : !store_capture(items, i - 1, items->json.start)) {
        return false;
      }
    } else if (items->array_found || items->null_found) {
      return rc_items_fail_at(items, RC_ITEMS_SECOND, i);
    } else if (items->json.type == RC_JSON_NULL) { /* the rest may say what it means */
      items->null_found = true;
      items->null_offset = items->json.start;
    } else if (!opens || items->json.type != RC_JSON_ARRAY) {
      return rc_items_fail_at(items, RC_ITEMS_NOT_ARRAY, i);
    } else if (items->capturing != 0) { /* all items would have to be kept */
      return rc_items_fail_at(items, RC_ITEMS_NOT_SCALAR, rc_items_outermost_capture(items));
    } else {
      items->array_found = items->in_array = true;
      items->array_level = level + 1;
      items->json.report_depth = items->array_level + 1;
      return true;
    }
  }
  if (opens) { /* level is at most the longest pattern's count, by report_depth */
    items->open[level + 1] = items->matching;
    items->index[level + 1] = 0;
    items->is_array[level + 1] = items->json.type == RC_JSON_ARRAY;
  }
  items->matching = 0;
  return true;
}

bool rc_items_outside(rc_items *items, rc_json_event event) {
  switch (event) {
  case RC_JSON_KEY:
    match_key(items, items->json.depth);
    return true;
  case RC_JSON_SCALAR:
    return meet_value(items, false, items->json.depth);
  case RC_JSON_OPEN:
    return meet_value(items, true, items->json.depth - 1);
  case RC_JSON_CLOSE:
    return close_captures(items, items->json.depth);
  default:
    return true;
  }
}
