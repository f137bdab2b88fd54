/* The tokenizer: the same events however the bytes are cut; the language of a second, simple
 * validator; and rc_json_unescape. Input: a byte for the depth limit, one for the seed of the
 * cuts, one for the report depth, then the document. */
#include "json.h"

#include "fuzz.h"
#include "pointer.h"

/* -- a validator after RFC 8259, by recursion ------------------------------------------------- */

typedef struct reader {
  const unsigned char *p, *end;
  unsigned depth, max_depth;
} reader;

static bool next_is(reader *r, unsigned char c) {
  if (r->p < r->end && *r->p == c) {
    r->p++;
    return true;
  }
  return false;
}

static void blanks(reader *r) {
  while (next_is(r, ' ') || next_is(r, '\t') || next_is(r, '\r') || next_is(r, '\n')) {
  }
}

static bool word(reader *r, const char *text) {
  for (; *text != '\0'; text++) {
    if (!next_is(r, (unsigned char)*text)) {
      return false;
    }
  }
  return true;
}

static bool in_range(reader *r, unsigned lo, unsigned hi) {
  if (r->p < r->end && *r->p >= lo && *r->p <= hi) {
    r->p++;
    return true;
  }
  return false;
}

static bool hex4(reader *r, unsigned *code) {
  *code = 0;
  for (int i = 0; i < 4; i++) {
    const unsigned char c = r->p < r->end ? *r->p : 0;
    if (!in_range(r, '0', '9') && !in_range(r, 'a', 'f') && !in_range(r, 'A', 'F')) {
      return false;
    }
    *code = *code * 16 + (c <= '9' ? c - 0x30u : (c | 0x20u) - 0x61u + 10u);
  }
  return true;
}

static bool escape(reader *r) {
  unsigned code;
  if (!next_is(r, 'u')) {
    return r->p < r->end && *r->p != '\0' && strchr("\"\\/bfnrt", *r->p) != NULL && r->p++;
  }
  if (!hex4(r, &code) || code >> 10 == 0xDC00 >> 10) {
    return false;
  }
  return code >> 10 != 0xD800 >> 10 ||
         (word(r, "\\u") && hex4(r, &code) && code >> 10 == 0xDC00 >> 10);
}

/* The table of RFC 3629, section 4. */
static bool utf8_character(reader *r) {
  if (in_range(r, 0xC2, 0xDF)) {
    return in_range(r, 0x80, 0xBF);
  }
  if (next_is(r, 0xE0)) {
    return in_range(r, 0xA0, 0xBF) && in_range(r, 0x80, 0xBF);
  }
  if (next_is(r, 0xED)) {
    return in_range(r, 0x80, 0x9F) && in_range(r, 0x80, 0xBF);
  }
  if (in_range(r, 0xE1, 0xEF)) {
    return in_range(r, 0x80, 0xBF) && in_range(r, 0x80, 0xBF);
  }
  if (next_is(r, 0xF0)) {
    return in_range(r, 0x90, 0xBF) && in_range(r, 0x80, 0xBF) && in_range(r, 0x80, 0xBF);
  }
  if (next_is(r, 0xF4)) {
    return in_range(r, 0x80, 0x8F) && in_range(r, 0x80, 0xBF) && in_range(r, 0x80, 0xBF);
  }
  return in_range(r, 0xF1, 0xF3) && in_range(r, 0x80, 0xBF) && in_range(r, 0x80, 0xBF) &&
         in_range(r, 0x80, 0xBF);
}

static bool string(reader *r) {
  if (!next_is(r, '"')) {
    return false;
  }
  while (r->p < r->end) {
    if (next_is(r, '"')) {
      return true;
    }
    if (next_is(r, '\\') ? !escape(r) : !in_range(r, 0x20, 0x7F) && !utf8_character(r)) {
      return false;
    }
  }
  return false;
}

static bool digits(reader *r) {
  const unsigned char *const from = r->p;
  while (in_range(r, '0', '9')) {
  }
  return r->p > from;
}

static bool number(reader *r) {
  (void)next_is(r, '-');
  if (!next_is(r, '0') && !digits(r)) {
    return false;
  }
  if (next_is(r, '.') && !digits(r)) {
    return false;
  }
  if (next_is(r, 'e') || next_is(r, 'E')) {
    (void)(next_is(r, '+') || next_is(r, '-'));
    return digits(r);
  }
  return true;
}

static bool value(reader *r);

static bool container(reader *r, bool object, unsigned char close) {
  if (r->depth++ == r->max_depth) {
    return false;
  }
  blanks(r);
  if (!next_is(r, close)) {
    do {
      blanks(r);
      if (object) {
        if (!string(r)) {
          return false;
        }
        blanks(r);
        if (!next_is(r, ':')) {
          return false;
        }
        blanks(r);
      }
      if (!value(r)) {
        return false;
      }
      blanks(r);
    } while (next_is(r, ','));
    if (!next_is(r, close)) {
      return false;
    }
  }
  r->depth--;
  return true;
}

static bool value(reader *r) {
  if (next_is(r, '{')) {
    return container(r, true, '}');
  }
  if (next_is(r, '[')) {
    return container(r, false, ']');
  }
  switch (r->p < r->end ? *r->p : 0) {
  case '"':
    return string(r);
  case 't':
    return word(r, "true");
  case 'f':
    return word(r, "false");
  case 'n':
    return word(r, "null");
  default:
    return number(r);
  }
}

static bool is_valid(const char *text, size_t length, unsigned max_depth) {
  reader r = {(const unsigned char *)text, (const unsigned char *)text + length, 0, max_depth};
  blanks(&r);
  if (!value(&r)) {
    return false;
  }
  blanks(&r);
  return r.p == r.end;
}

/* -- unescaping ------------------------------------------------------------------------------- */

/* The code point that begins at *p, moving past it; the text is valid UTF-8. */
static unsigned decode(const unsigned char **p) {
  unsigned code = *(*p)++;
  int more = code >= 0xF0 ? 3 : code >= 0xE0 ? 2 : code >= 0xC0 ? 1 : 0;
  code &= more > 0 ? 0x3Fu >> more : 0x7Fu;
  for (; more > 0; more--) {
    code = code << 6 | (*(*p)++ & 0x3Fu);
  }
  return code;
}

/* Decoded, it is UTF-8, no longer than before; and the same again when every character of it is
 * written as an escape sequence. `raw` stands between quotes. */
static void check_unescape(const char *raw, size_t length, bool escaped) {
  char *from = fuzz_copy(raw, length);
  char *plain = fuzz_copy(raw, length);
  const size_t n = rc_json_unescape(plain, from, length);
  CHECK(n <= length);
  CHECK(escaped ? n < length : n == length && memcmp(plain, raw, n) == 0);
  CHECK(rc_json_unescape(from, from, length) == n && memcmp(from, plain, n) == 0);
  reader r = {(unsigned char *)plain, (unsigned char *)plain + n, 0, 0};
  while (r.p < r.end) {
    CHECK(in_range(&r, 0, 0x7F) || utf8_character(&r));
  }
  char *spelled = malloc(n * 12 + 1);
  CHECK(spelled != NULL);
  size_t at = 0;
  for (const unsigned char *p = (unsigned char *)plain; p < r.end;) {
    const unsigned code = decode(&p);
    if (code < 0x10000) {
      at += (size_t)sprintf(spelled + at, "\\u%04x", code);
    } else {
      at += (size_t)sprintf(spelled + at, "\\u%04X\\u%04x", 0xD800 + ((code - 0x10000) >> 10),
                            0xDC00 + ((code - 0x10000) & 0x3FF));
    }
  }
  const rc_segment same = {plain, n};
  CHECK(rc_segment_is_key(&same, raw, length, escaped));
  CHECK(rc_segment_is_key(&same, spelled, at, true));
  if (n > 0) {
    const rc_segment shorter = {plain, n - 1};
    CHECK(!rc_segment_is_key(&shorter, raw, length, escaped));
  }
  CHECK(rc_json_unescape(spelled, spelled, at) == n && memcmp(spelled, plain, n) == 0);
  free(spelled);
  free(plain);
  free(from);
}

/* -- events ----------------------------------------------------------------------------------- */

typedef struct event {
  rc_json_event what;
  rc_json_type type;
  rc_json_error error;
  unsigned flags, depth;
  uint64_t start, offset;
  int got;
  const char *expected;
} event;

typedef struct trace {
  event *events;
  size_t count, capacity;
} trace;

static void record(trace *t, rc_json_event what, const rc_json *json) {
  if (t->count == t->capacity) {
    t->capacity = t->capacity > 0 ? t->capacity * 2 : 64;
    t->events = realloc(t->events, t->capacity * sizeof(event));
    CHECK(t->events != NULL);
  }
  event *e = &t->events[t->count++];
  memset(e, 0, sizeof *e); /* its padding, too: events are compared byte by byte */
  e->what = what;
  e->offset = json->offset;
  if (what == RC_JSON_ERROR) {
    e->error = json->error;
    e->got = json->got;
    e->expected = json->expected;
  } else if (what != RC_JSON_END) {
    e->start = json->start;
    e->type = json->type;
    e->flags = json->flags;
    e->depth = json->depth;
  }
}

/* The events of the text in chunks of `step` bytes, 0: all at once, SIZE_MAX: by the seed. */
static trace tokenize(const char *text, size_t length, size_t step, uint32_t seed,
                      unsigned max_depth, unsigned report_depth) {
  trace t = {0};
  rc_json json;
  rc_json_init(&json, max_depth);
  json.report_depth = report_depth;
  rc_json_event what = RC_JSON_MORE;
  for (size_t at = 0; at < length && what != RC_JSON_ERROR;) {
    size_t n = step == SIZE_MAX ? fuzz_chunk(&seed, length - at) : step;
    n = n > 0 && n < length - at ? n : length - at;
    char *chunk = fuzz_copy(text + at, n);
    const char *p = chunk;
    do {
      what = rc_json_next(&json, &p, chunk + n);
      if (what != RC_JSON_MORE) {
        record(&t, what, &json);
      }
      CHECK(json.offset == at + (size_t)(p - chunk));
      CHECK(json.start <= json.offset);
    } while (what != RC_JSON_MORE && what != RC_JSON_ERROR);
    CHECK(what == RC_JSON_ERROR || p == chunk + n);
    at += n;
    free(chunk);
  }
  for (int i = 0; i < 2 && what != RC_JSON_ERROR && what != RC_JSON_END; i++) {
    what = rc_json_finish(&json);
    record(&t, what, &json);
  }
  CHECK(what == RC_JSON_ERROR || what == RC_JSON_END);
  if (what == RC_JSON_ERROR) {
    char line[128];
    rc_json_describe(&json, line, sizeof line);
    CHECK(strlen(line) > 0 && strcmp(rc_json_error_name(json.error), "unknown") != 0);
    CHECK(rc_json_finish(&json) == RC_JSON_ERROR);
  }
  return t;
}

static void check_same(const trace *whole, trace other) {
  CHECK(whole->count == other.count);
  CHECK(memcmp(whole->events, other.events, whole->count * sizeof(event)) == 0);
  free(other.events);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_input input = {data, size};
  const unsigned choice = fuzz_byte(&input);
  const unsigned max_depth = choice < 200 ? choice : choice * 16;
  const uint32_t seed = fuzz_byte(&input);
  const unsigned report = fuzz_byte(&input);
  const unsigned report_depth = report < 8 ? report : RC_JSON_DEPTH_CAP;
  const size_t length = input.size;
  char *text = fuzz_copy(input.data, length);

  const trace whole = tokenize(text, length, 0, seed, max_depth, report_depth);
  check_same(&whole, tokenize(text, length, 1, seed, max_depth, report_depth));
  check_same(&whole, tokenize(text, length, SIZE_MAX, seed, max_depth, report_depth));
  const bool good = whole.events[whole.count - 1].what == RC_JSON_END;
  CHECK(good == is_valid(text, length, max_depth < RC_JSON_DEPTH_CAP ? max_depth : 2048));

  for (size_t i = 0; i < whole.count; i++) {
    const event *e = &whole.events[i];
    const bool string_token =
        e->what == RC_JSON_KEY || (e->what == RC_JSON_SCALAR && e->type == RC_JSON_STRING);
    if (string_token) {
      CHECK(text[e->start] == '"' && text[e->offset - 1] == '"');
      check_unescape(text + e->start + 1, (size_t)(e->offset - e->start - 2),
                     (e->flags & RC_JSON_ESCAPED) != 0);
    } else if (e->what == RC_JSON_SCALAR) {
      CHECK(is_valid(text + e->start, (size_t)(e->offset - e->start), 0));
    }
  }
  free(whole.events);
  free(text);
  return 0;
}
