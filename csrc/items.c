/* items.c - see items.h. */
#include "items_private.h"

#include <stdlib.h>
#include <string.h>

#include "seen.h"

/* -- making and freeing --------------------------------------------------------------------- */

static const char *parse_patterns(rc_items *items, const rc_items_options *options) {
  char *text = items->text;
  memcpy(text, options->pointer, options->pointer_length);
  const char *problem =
      rc_pointer_parse(&items->patterns[ARRAY_POINTER], text, options->pointer_length);
  text += options->pointer_length;
  for (unsigned i = 0; i < options->capture_count && problem == NULL; i++) {
    memcpy(text, options->captures[i], options->capture_lengths[i]);
    problem = rc_pointer_parse(&items->patterns[i + 1], text, options->capture_lengths[i]);
    text += options->capture_lengths[i];
  }
  if (options->id != NULL && problem == NULL) {
    memcpy(text, options->id, options->id_length);
    problem = rc_pointer_parse(&items->id, text, options->id_length);
  }
  for (unsigned i = 0; i < items->pattern_count; i++) {
    if (items->patterns[i].count > items->longest) {
      items->longest = items->patterns[i].count;
    }
  }
  return problem;
}

rc_items *rc_items_new(const rc_items_options *options, const char **problem) {
  *problem = NULL;
  if (options->capture_count > RC_ITEMS_CAPTURES) {
    *problem = "there are more than 16 of them";
    return NULL;
  }
  rc_items *items = calloc(1, sizeof *items);
  if (items == NULL) {
    return NULL;
  }
  size_t size = options->pointer_length + 1;
  const size_t id_length = options->id != NULL ? options->id_length : 0;
  for (unsigned i = 0; i < options->capture_count; i++) {
    if (options->capture_lengths[i] > SIZE_MAX - size) {
      free(items);
      return NULL;
    }
    size += options->capture_lengths[i];
  }
  items->text = id_length <= SIZE_MAX - size ? malloc(size + id_length) : NULL;
  if (items->text == NULL) {
    free(items);
    return NULL;
  }
  items->edges = options->edges;
  items->containers = options->containers;
  items->pattern_count = options->capture_count + 1;
  *problem = parse_patterns(items, options);
  if (*problem != NULL) {
    rc_items_free(items);
    return NULL;
  }
  rc_json_init(&items->json, options->max_depth);
  items->json.report_depth = items->longest;
  items->max_bytes = options->max_bytes;
  items->max_item = options->max_item < UINT32_MAX / 2 ? options->max_item : UINT32_MAX / 2;
  items->matching = ((pattern_set)1 << items->pattern_count) - 1;
  return items;
}

void rc_items_free(rc_items *items) {
  if (items == NULL) {
    return;
  }
  for (unsigned i = 0; i < RC_ITEMS_CAPTURES; i++) {
    free(items->captures[i].bytes);
  }
  free(items->bytes.memory);
  free(items->entries.memory);
  free(items->first.bytes);
  free(items->last.bytes);
  free(items->document);
  free(items->text);
  free(items);
}

/* -- reading -------------------------------------------------------------------------------- */

static entry *arriving(const rc_items *items) {
  return rc_queue_at(&items->entries, items->waiting_end);
}

/* An item begins: its entry, which has no fields yet, is at the end of `entries`. */
static bool begin_item(rc_items *items, uint64_t offset) {
  items->in_item = true;
  items->item_offset = offset;
  if (!rc_queue_reserve(&items->entries, sizeof(entry))) {
    return rc_items_fail(items, RC_ITEMS_NO_MEMORY, offset);
  }
  items->entries.tail += sizeof(entry);
  arriving(items)->field_count = 0;
  return true;
}

/* Takes an event between two items of the array. */
static bool between(rc_items *items, rc_json_event event) {
  if (event == RC_JSON_CLOSE) {
    items->in_array = false;
    items->json.report_depth = items->longest;
    return true;
  }
  if (event != RC_JSON_OPEN || items->json.type != RC_JSON_OBJECT) {
    return rc_items_fail_at(items, RC_ITEMS_NOT_OBJECT, ARRAY_POINTER);
  }
  return begin_item(items, items->json.start);
}

static bool keep_edge(edge *kept, const char *bytes, size_t length) {
  if (length > kept->capacity) {
    char *grown = realloc(kept->bytes, length);
    if (grown == NULL) {
      return false;
    }
    kept->bytes = grown;
    kept->capacity = length;
  }
  memcpy(kept->bytes, bytes, length);
  kept->length = length;
  return true;
}

/* Adds an item to the opening. */
static void note_opening(rc_items *items, const rc_object *item) {
  rc_opening *opening = &items->opening;
  rc_span text;
  if (!rc_field_find_id(item, &items->id, &text)) {
    text = (rc_span){.bytes = item->bytes, .length = item->length};
  }
  const uint64_t hash = rc_hash(text.bytes, text.length);
  if (opening->count == 0) {
    opening->first = hash;
  }
  opening->all = rc_hash_mix(opening->all, hash);
  opening->count++;
}

/* Notes what is remembered of an item that has just ended besides the item itself; false without
 * memory. */
static bool note_item(rc_items *items, const entry *whole) {
  const rc_object item = {rc_queue_at(&items->bytes, whole->offset), whole->length,
                          whole->field_count, whole->fields};
  if (items->opening.count < RC_ITEMS_OPENING) {
    note_opening(items, &item);
  }
  return !items->edges ||
         ((items->found > 0 || keep_edge(&items->first, item.bytes, item.length)) &&
          keep_edge(&items->last, item.bytes, item.length));
}

/* The arriving item is whole: it waits from here on. */
static bool end_item(rc_items *items) {
  const uint64_t length = items->json.offset - items->item_offset;
  items->in_item = false;
  if (length > items->max_item) {
    return rc_items_fail(items, RC_ITEMS_ITEM_SIZE, items->item_offset);
  }
  entry *whole = arriving(items);
  whole->offset = items->item_offset;
  whole->length = (uint32_t)length;
  if ((items->edges || items->opening.count < RC_ITEMS_OPENING) && !note_item(items, whole)) {
    return rc_items_fail(items, RC_ITEMS_NO_MEMORY, items->item_offset);
  }
  items->waiting_end = rc_queue_end(&items->entries);
  items->found++;
  return true;
}

/* A name of the arriving item; its value follows. */
static bool begin_field(rc_items *items) {
  const rc_json *json = &items->json;
  rc_field field = {(uint32_t)(json->start + 1 - items->item_offset),
                    rc_field_name_tag(rc_items_token(items) + 1, rc_items_token_length(items) - 2)};
  if ((json->flags & RC_JSON_ESCAPED) != 0) {
    field.tag |= RC_FIELD_NAME_ESCAPED;
  }
  if (!rc_queue_reserve(&items->entries, sizeof field)) {
    return rc_items_fail(items, RC_ITEMS_NO_MEMORY, json->start);
  }
  entry *item = arriving(items);
  item->fields[item->field_count++] = field;
  items->entries.tail += sizeof field;
  return true;
}

/* The value of the newest field has ended. */
static void end_field(rc_items *items) {
  const rc_json *json = &items->json;
  entry *item = arriving(items);
  uint32_t *tag = &item->fields[item->field_count - 1].tag;
  *tag |= RC_FIELD_TYPE_BITS(json->type);
  if ((json->flags & RC_JSON_ESCAPED) != 0) {
    *tag |= RC_FIELD_VALUE_ESCAPED;
  }
  if ((json->flags & RC_JSON_INTEGER) != 0) {
    *tag |= RC_FIELD_VALUE_INTEGER;
  }
}

static bool inside_item(rc_items *items, rc_json_event event) {
  switch (event) {
  case RC_JSON_KEY:
    return begin_field(items);
  case RC_JSON_SCALAR:
    end_field(items);
    return true;
  case RC_JSON_CLOSE:
    if (items->json.depth == items->array_level) {
      return end_item(items);
    }
    end_field(items);
    return true;
  default:
    return true;
  }
}

static bool take_event(rc_items *items, rc_json_event event) {
  if (items->in_item) {
    return inside_item(items, event);
  }
  if ((event == RC_JSON_KEY || event == RC_JSON_SCALAR) &&
      rc_items_token_length(items) > items->max_item) {
    return rc_items_fail(items, RC_ITEMS_ITEM_SIZE, items->json.start);
  }
  return items->in_array ? between(items, event) : rc_items_outside(items, event);
}

/* The first byte still needed for anything but whole items. */
static uint64_t needed_from(const rc_items *items) {
  const rc_json *json = &items->json;
  if (items->in_item) {
    return items->item_offset;
  }
  if (items->capturing != 0) {
    return items->container[rc_items_outermost_capture(items)].offset;
  }
  return rc_json_in_token(json) && json->depth <= json->report_depth ? json->start : json->offset;
}

static const entry *front_item(const rc_items *items) {
  const uint64_t head = rc_queue_start(&items->entries);
  return head < items->waiting_end ? rc_queue_at(&items->entries, head) : NULL;
}

static void drop_taken(rc_items *items) {
  const entry *front = front_item(items);
  rc_queue_drop_before(&items->bytes, front != NULL ? front->offset : needed_from(items));
}

/* Is the item to wait for more bytes? Once, if the scanner stopped so near the end that it may
 * merely be cut off. Not if it is over max_item already: the tokenizer must find that at its
 * byte. */
static bool hold(rc_items *items, const char *end) {
  const uint64_t offset = items->json.offset;
  const bool is_cut = end - items->scanner.stopped < RC_SCAN_TAIL;
  if (!is_cut || (items->held && items->held_offset == offset) ||
      rc_queue_end(&items->bytes) - offset > items->max_item) {
    return false;
  }
  items->held = true;
  items->held_offset = offset;
  return true;
}

/* Takes items by the fast path, as long as they are whole and *bytes stands between two. Sets *held
 * if what is left is an item that waits for more bytes. false on an error. */
static bool take_whole_items(rc_items *items, const char **bytes, const char *end, bool more,
                             bool *held) {
  rc_json *json = &items->json;
  while (rc_json_seek_element(json, bytes, end) && **bytes == '{') {
    if (!rc_queue_reserve(&items->entries, sizeof(entry) + RC_SCAN_FIELDS * sizeof(rc_field))) {
      return rc_items_fail(items, RC_ITEMS_NO_MEMORY, json->offset);
    }
    entry *item = arriving(items);
    const size_t length = rc_scan_object(&items->scanner, *bytes, json->max_depth - json->depth,
                                         item->fields, &item->field_count);
    if (length == 0) {
      *held = more && hold(items, end);
      return true;
    }
    items->item_offset = json->offset;
    items->entries.tail += sizeof(entry) + item->field_count * sizeof(rc_field);
    rc_json_accept(json, length);
    *bytes += length;
    if (!end_item(items)) {
      return false;
    }
  }
  return true;
}

/* Reads what was fed and not yet read. more: bytes may follow, so a cut-off item may be left for
 * the fast path (see hold). The tokenizer sees no byte beyond the first that exceeds max_item:
 * however a document is chunked, the same error is found at the same byte. */
static bool scan(rc_items *items, bool more) {
  const rc_json *json = &items->json;
  if (json->offset == rc_queue_end(&items->bytes)) {
    return true;
  }
  const char *p = rc_queue_at(&items->bytes, json->offset);
  const char *const end = items->bytes.memory + items->bytes.tail;
  while (p < end) {
    bool held = false;
    if (items->in_array && !items->in_item && !take_whole_items(items, &p, end, more, &held)) {
      return false;
    }
    if (held) {
      return true;
    }
    const uint64_t room = needed_from(items) + items->max_item + 1 - json->offset;
    const char *const stop = (uint64_t)(end - p) > room ? p + room : end;
    const rc_json_event event = rc_json_next(&items->json, &p, stop);
    if (event == RC_JSON_ERROR) {
      return rc_items_fail(items, RC_ITEMS_MALFORMED, json->offset);
    }
    if (event != RC_JSON_MORE && !take_event(items, event)) {
      return false;
    }
    if (json->offset - needed_from(items) > items->max_item) {
      return rc_items_fail(items, RC_ITEMS_ITEM_SIZE, needed_from(items));
    }
  }
  return true;
}

/* Keeps the bytes that were fed after `before` others, as long as the document is short and no item
 * was found. Without memory nothing is kept, which only makes an error say less. */
static void keep_document(rc_items *items, const char *bytes, size_t length, uint64_t before) {
  const bool is_kept = before == 0 || items->document != NULL;
  if (is_kept && items->found == 0 && length <= RC_ITEMS_DOCUMENT_SIZE - before) {
    if (items->document == NULL) {
      items->document = malloc(RC_ITEMS_DOCUMENT_SIZE);
    }
    if (items->document != NULL) {
      memcpy(items->document + before, bytes, length);
    }
  } else {
    free(items->document);
    items->document = NULL;
  }
}

bool rc_items_feed(rc_items *items, const char *bytes, size_t length) {
  if (items->error != RC_ITEMS_OK) {
    return false;
  }
  const uint64_t fed = rc_queue_end(&items->bytes);
  const uint64_t room = items->max_bytes - fed;
  const size_t taken = length < room ? length : (size_t)room;
  if (taken > 0) {
    drop_taken(items);
    if (taken > SIZE_MAX - RC_SCAN_PADDING ||
        !rc_queue_reserve(&items->bytes, taken + RC_SCAN_PADDING)) {
      return rc_items_fail(items, RC_ITEMS_NO_MEMORY, fed);
    }
    memcpy(items->bytes.memory + items->bytes.tail, bytes, taken);
    items->bytes.tail += taken;
    memset(items->bytes.memory + items->bytes.tail, 0, RC_SCAN_PADDING);
  }
  const bool good = length == 0 || scan(items, taken == length);
  if (taken > 0 && (good || items->error == RC_ITEMS_NOT_ARRAY)) {
    keep_document(items, bytes, taken, fed);
  }
  if (!good) {
    return false;
  }
  return taken == length || rc_items_fail(items, RC_ITEMS_BODY_SIZE, items->max_bytes);
}

/* After the last byte only the items that wait need memory. */
static void release_if_done(rc_items *items) {
  if (items->finished && front_item(items) == NULL) {
    rc_queue_release(&items->bytes);
    rc_queue_release(&items->entries);
  }
}

bool rc_items_finish(rc_items *items) {
  if (items->error != RC_ITEMS_OK || !scan(items, false)) {
    return false;
  }
  rc_json_event event = rc_json_finish(&items->json);
  if (event == RC_JSON_SCALAR) {
    if (!take_event(items, event)) {
      return false;
    }
    event = rc_json_finish(&items->json);
  }
  if (event != RC_JSON_END) {
    return rc_items_fail(items, RC_ITEMS_MALFORMED, items->json.offset);
  }
  if (items->null_found) {
    items->error_pattern = ARRAY_POINTER;
    items->error_type = RC_JSON_NULL;
    return rc_items_fail(items, RC_ITEMS_NULL_ARRAY, items->null_offset);
  }
  if (!items->array_found) {
    items->error_pattern = ARRAY_POINTER;
    return rc_items_fail(items, RC_ITEMS_NOT_FOUND, items->json.offset);
  }
  items->finished = true;
  release_if_done(items);
  return true;
}

bool rc_items_peek(const rc_items *items, rc_item *item) {
  const entry *front = front_item(items);
  if (front == NULL) {
    return false;
  }
  const char *bytes = rc_queue_at(&items->bytes, front->offset);
  *item = (rc_item){{bytes, front->length, front->field_count, front->fields}, front->offset};
  return true;
}

void rc_items_take(rc_items *items) {
  const entry *front = front_item(items);
  if (front != NULL) {
    const size_t size = sizeof *front + front->field_count * sizeof(rc_field);
    rc_queue_drop_before(&items->entries, rc_queue_start(&items->entries) + size);
    release_if_done(items);
  }
}

size_t rc_items_waiting(const rc_items *items) {
  const entry *front = front_item(items);
  if (front == NULL) {
    return 0;
  }
  const size_t bytes = (size_t)(rc_queue_end(&items->bytes) - front->offset);
  return bytes + items->entries.tail - items->entries.head;
}

uint64_t rc_items_found(const rc_items *items) {
  return items->found;
}

rc_opening rc_items_opening(const rc_items *items) {
  return items->opening;
}

const char *rc_items_edge(const rc_items *items, bool last, size_t *length) {
  const edge *kept = last ? &items->last : &items->first;
  *length = kept->length;
  return kept->bytes;
}

const char *rc_items_document(const rc_items *items, size_t *length) {
  const bool is_whole = items->finished && items->error == RC_ITEMS_OK;
  const bool is_told = is_whole || items->error == RC_ITEMS_NOT_FOUND ||
                       items->error == RC_ITEMS_NULL_ARRAY || items->error == RC_ITEMS_NOT_ARRAY;
  *length = (size_t)rc_queue_end(&items->bytes);
  return is_told ? items->document : NULL;
}

const rc_capture *rc_items_captured(const rc_items *items, unsigned index) {
  return &items->captures[index];
}
