/* Items: a document gives the same items, fields, captures and error however it is cut; what the
 * quick way of scan.h says of an object is what the tokenizer says; and an item's fields are those
 * that a simple walk by json.h finds. Input: five bytes that choose (pointer, captures, limits,
 * seed of the cuts), for some pointers a line with the pointer and one with a capture, then the
 * document. */
#include "items.h"

#include "fuzz.h"
#include "pointer.h"
#include "scan.h"

/* -- what comes out, as bytes to compare ------------------------------------------------------ */

typedef struct outcome {
  char *bytes;
  size_t length, capacity;
} outcome;

static void put(outcome *o, const void *bytes, size_t length) {
  if (length > o->capacity - o->length) {
    o->capacity = (o->capacity + length) * 2;
    o->bytes = realloc(o->bytes, o->capacity);
    CHECK(o->bytes != NULL);
  }
  if (length > 0) {
    memcpy(o->bytes + o->length, bytes, length);
  }
  o->length += length;
}

static void put_number(outcome *o, uint64_t n) {
  put(o, &n, sizeof n);
}

static void put_text(outcome *o, const char *text) {
  put(o, text, strlen(text) + 1);
}

/* -- one item --------------------------------------------------------------------------------- */

static uint32_t value_bits(const rc_json *json) {
  return RC_FIELD_TYPE_BITS(json->type) |
         ((json->flags & RC_JSON_ESCAPED) != 0 ? RC_FIELD_VALUE_ESCAPED : 0) |
         ((json->flags & RC_JSON_INTEGER) != 0 ? RC_FIELD_VALUE_INTEGER : 0);
}

/* The fields of a whole object, found by the tokenizer that reports everything. */
static void check_fields(const rc_object *object) {
  rc_json json;
  rc_json_init(&json, RC_JSON_DEPTH_CAP);
  const char *p = object->bytes;
  const char *const end = p + object->length;
  rc_field field = {0};
  size_t value = 0;
  uint32_t count = 0;
  rc_json_event event;
  while ((event = rc_json_next(&json, &p, end)) != RC_JSON_MORE) {
    CHECK(event != RC_JSON_ERROR);
    if (event == RC_JSON_KEY && json.depth == 1) {
      const char *name = object->bytes + json.start + 1;
      const size_t length = (size_t)(json.offset - json.start - 2);
      field = (rc_field){(uint32_t)json.start + 1, rc_field_name_tag(name, length)};
      field.tag |= (json.flags & RC_JSON_ESCAPED) != 0 ? RC_FIELD_NAME_ESCAPED : 0;
    } else if (event == RC_JSON_OPEN && json.depth == 2) {
      value = (size_t)json.start;
    } else if ((event == RC_JSON_SCALAR || event == RC_JSON_CLOSE) && json.depth == 1) {
      value = event == RC_JSON_SCALAR ? (size_t)json.start : value;
      field.tag |= value_bits(&json);
      CHECK(count < object->field_count);
      CHECK(memcmp(&object->fields[count], &field, sizeof field) == 0);
      const rc_span span = rc_field_value(object, &object->fields[count]);
      CHECK(span.bytes == object->bytes + value && span.length == (size_t)json.offset - value);
      CHECK(span.type == json.type && span.flags == json.flags);
      count++;
    }
  }
  CHECK(count == object->field_count);
  CHECK(rc_json_finish(&json) == RC_JSON_END);
}

/* Every name is inside the object, and finds the last field that it names. */
static void check_names(const rc_object *object) {
  CHECK(object->length >= 2 && object->bytes[0] == '{');
  CHECK(object->bytes[object->length - 1] == '}');
  for (uint32_t i = 0; i < object->field_count && i < 32;
       i++) { /* all would take a square of time */
    const rc_field *field = &object->fields[i];
    const size_t name_length = rc_field_name_length(object, field);
    CHECK(field->name >= 2 && field->name + name_length < object->length);
    CHECK(object->bytes[field->name - 1] == '"');
    CHECK(object->bytes[field->name + name_length] == '"');
    char *name = fuzz_copy(object->bytes + field->name, name_length);
    const bool escaped = (field->tag & RC_FIELD_NAME_ESCAPED) != 0;
    const size_t length = escaped ? rc_json_unescape(name, name, name_length) : name_length;
    const rc_field *found = rc_field_find(object, name, length);
    CHECK(found != NULL && found >= field);
    size_t other_length = rc_field_name_length(object, found);
    char *other = fuzz_copy(object->bytes + found->name, other_length);
    if ((found->tag & RC_FIELD_NAME_ESCAPED) != 0) {
      other_length = rc_json_unescape(other, other, other_length);
    }
    CHECK(other_length == length && memcmp(other, name, length) == 0);
    free(other);
    free(name);
  }
}

/* The quick way, from an exact copy with its padding: what it takes is a whole, valid object, and
 * indexed as the tokenizer does. */
static void check_scan_after(rc_scanner *scanner, const char *text, size_t length,
                             unsigned max_depth) {
  rc_field fields[RC_SCAN_FIELDS];
  uint32_t count = 0;
  char *padded = calloc(1, length + RC_SCAN_PADDING);
  CHECK(padded != NULL);
  memcpy(padded, text, length);
  const size_t taken = rc_scan_object(scanner, padded, max_depth, fields, &count);
  CHECK(taken <= length && count <= RC_SCAN_FIELDS);
  CHECK(taken > 0 || (scanner->stopped >= padded && scanner->stopped <= padded + length));
  if (taken > 0) {
    rc_json json;
    rc_json_init(&json, max_depth);
    json.report_depth = 0;
    const char *p = padded;
    CHECK(rc_json_next(&json, &p, padded + taken) == RC_JSON_OPEN);
    CHECK(rc_json_next(&json, &p, padded + taken) == RC_JSON_CLOSE);
    CHECK(p == padded + taken && rc_json_finish(&json) == RC_JSON_END);
    const rc_object object = {padded, (uint32_t)taken, count, fields};
    check_names(&object);
    check_fields(&object);
  }
  free(padded);
}

/* The second time it is as the time before, then all but one byte behind the brace is. */
static void check_scan(const char *text, size_t length, unsigned max_depth) {
  rc_scanner scanner = {0};
  check_scan_after(&scanner, text, length, max_depth);
  check_scan_after(&scanner, text, length, max_depth);
  for (size_t at = 1 + length % 7; at < length; at += length / 5 + 1) {
    char *other = fuzz_copy(text, length);
    other[at] = (char)(text[at] ^ (1 << at % 8));
    check_scan_after(&scanner, other, length, max_depth);
    free(other);
    check_scan_after(&scanner, text, length, max_depth);
  }
}

/* -- a whole document ------------------------------------------------------------------------- */

typedef enum cut { WHOLE, BYTES, CHUNKS, CHUNKS_LATE } cut;

static void take_all(rc_items *items, outcome *o) {
  rc_item item;
  while (rc_items_peek(items, &item)) {
    const rc_object *object = &item.object;
    CHECK(rc_items_waiting(items) >= object->length);
    put_number(o, item.offset);
    put_number(o, object->length);
    put_number(o, object->field_count);
    put(o, object->bytes, object->length);
    put(o, object->fields, object->field_count * sizeof *object->fields);
    check_names(object);
    check_fields(object);
    rc_items_take(items);
  }
  CHECK(rc_items_waiting(items) == 0);
}

static outcome read_document(const rc_items_options *options, const char *text, size_t length,
                             cut how, uint32_t seed) {
  outcome o = {0};
  const char *problem;
  rc_items *items = rc_items_new(options, &problem);
  if (items == NULL) {
    CHECK(problem != NULL);
    put_text(&o, problem);
    return o;
  }
  bool good = true;
  for (size_t at = 0; at < length && good;) {
    const size_t left = length - at;
    const size_t n = how == WHOLE ? left : how == BYTES ? 1 : fuzz_chunk(&seed, left);
    char *chunk = fuzz_copy(text + at, n);
    good = rc_items_feed(items, chunk, n);
    free(chunk);
    at += n;
    if (how != CHUNKS_LATE) {
      take_all(items, &o);
    }
  }
  good = good && rc_items_finish(items);
  take_all(items, &o);
  CHECK(good == (rc_items_failure(items) == RC_ITEMS_OK));
  CHECK(good || (!rc_items_feed(items, "", 0) && !rc_items_finish(items)));
  CHECK(rc_items_failure(items) != RC_ITEMS_NO_MEMORY);
  put_number(&o, rc_items_found(items));
  for (unsigned i = 0; i < options->capture_count; i++) {
    const rc_capture *capture = rc_items_captured(items, i);
    put_number(&o, capture->found);
    if (capture->found) {
      put_number(&o, capture->type);
      put_number(&o, capture->flags);
      put_number(&o, capture->length);
      put(&o, capture->bytes, capture->length);
    }
  }
  size_t kept;
  const char *document = rc_items_document(items, &kept);
  /* Of one that has something else in the array's place it is what had come, however much. */
  const bool is_part = rc_items_failure(items) == RC_ITEMS_NOT_ARRAY;
  CHECK(document == NULL || kept == length || (is_part && kept < length));
  CHECK(document == NULL || (kept <= RC_ITEMS_DOCUMENT_SIZE && memcmp(document, text, kept) == 0));
  put_number(&o, !is_part && document != NULL);
  char line[256];
  rc_items_describe(items, line, sizeof line);
  put_text(&o, line);
  put_text(&o, rc_items_error_name(items));
  put_number(&o, rc_items_error_offset(items));
  rc_items_free(items);
  return o;
}

static void check_same(const outcome *whole, outcome other) {
  CHECK(whole->length == other.length);
  CHECK(memcmp(whole->bytes, other.bytes, whole->length) == 0);
  free(other.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const pointers[] = {"",        "/data", "/data/users", "/1/list",
                                         "/a/b~1c", "/data", "/0/0/~0",     "/é/\x01"};
  static const char *const captures[] = {"/next", "/data2", "/meta/a", "/0", "/1/x", "", "/a/data"};
  enum { POINTERS = sizeof pointers / sizeof *pointers };
  enum { CAPTURES = sizeof captures / sizeof *captures };
  static const uint64_t sizes[] = {SIZE_MAX, 1 << 20, 64, 16, 300, 2, 0, 24};
  static const unsigned depths[] = {512, 64, 66, 4, 3, 2, 2048, 0};
  fuzz_input input = {data, size};
  const unsigned pointer = fuzz_byte(&input);
  const unsigned set = fuzz_byte(&input);
  const unsigned limits = fuzz_byte(&input);
  const unsigned depth = fuzz_byte(&input);
  const uint32_t seed = fuzz_byte(&input);
  const char *list[RC_ITEMS_CAPTURES];
  size_t lengths[RC_ITEMS_CAPTURES];
  rc_items_options options = {.captures = list,
                              .capture_lengths = lengths,
                              .max_bytes = sizes[limits >> 3 & 7u],
                              .max_item = sizes[limits & 7u],
                              .max_depth = depths[depth & 7u],
                              .containers = (depth & 8u) != 0};
  for (unsigned i = 0; i < CAPTURES; i++) {
    if ((set >> i & 1u) != 0) {
      list[options.capture_count] = captures[i];
      lengths[options.capture_count++] = strlen(captures[i]);
    }
  }
  fuzz_input own = {(const uint8_t *)pointers[pointer % POINTERS],
                    strlen(pointers[pointer % POINTERS])};
  if (pointer >= 128) {
    own = fuzz_line(&input);
    const fuzz_input capture = fuzz_line(&input);
    list[options.capture_count] = (const char *)capture.data;
    lengths[options.capture_count++] = capture.size;
  }
  options.pointer = (const char *)own.data;
  options.pointer_length = own.size;

  const char *text = (const char *)input.data;
  const outcome whole = read_document(&options, text, input.size, WHOLE, seed);
  check_same(&whole, read_document(&options, text, input.size, BYTES, seed));
  check_same(&whole, read_document(&options, text, input.size, CHUNKS, seed));
  check_same(&whole, read_document(&options, text, input.size, CHUNKS_LATE, seed + 1));
  free(whole.bytes);

  const char *object = input.size > 0 ? memchr(text, '{', input.size) : NULL;
  for (int i = 0; i < 4 && object != NULL; i++) {
    const size_t left = input.size - (size_t)(object - text);
    check_scan(object, left, options.max_depth);
    object = left > 1 ? memchr(object + 1, '{', left - 1) : NULL;
  }
  return 0;
}
