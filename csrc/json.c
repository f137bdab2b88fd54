/* json.c - see json.h. One pass; the hot loop is the scan for the end of a string. */
#include "json.h"

#include <stdio.h>
#include <string.h>

#include "plain.h"

enum state {
  VALUE,
  VALUE_OR_CLOSE, /* after '[' */
  KEY,
  KEY_OR_CLOSE, /* after '{' */
  COLON,
  AFTER_VALUE,
  DONE,
  FAILED,
  /* Inside a token; rc_json_in_token relies on these being last. */
  IN_STRING,
  IN_UTF8,
  IN_ESCAPE,
  IN_HEX,
  PAIR_BACKSLASH,
  PAIR_U,
  IN_LITERAL,
  NUMBER_MINUS,
  NUMBER_ZERO,
  NUMBER_INTEGER,
  NUMBER_POINT,
  NUMBER_FRACTION,
  NUMBER_E,
  NUMBER_SIGN,
  NUMBER_EXPONENT
};

void rc_json_init(rc_json *json, unsigned max_depth) {
  memset(json, 0, sizeof *json);
  json->max_depth = max_depth < RC_JSON_DEPTH_CAP ? max_depth : RC_JSON_DEPTH_CAP;
  json->report_depth = RC_JSON_DEPTH_CAP;
  json->state = VALUE;
  json->got = -1;
}

bool rc_json_in_token(const rc_json *json) {
  return json->state >= IN_STRING;
}

static bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static int hex_value(char c) {
  if (is_digit(c)) {
    return c - '0';
  }
  if (c >= 'a' && c <= 'f') {
    return c - 'a' + 10;
  }
  if (c >= 'A' && c <= 'F') {
    return c - 'A' + 10;
  }
  return -1;
}

static rc_json_event fail(rc_json *json, rc_json_error error, const char *expected, int got) {
  json->state = FAILED;
  json->error = error;
  json->expected = expected;
  json->got = got;
  return RC_JSON_ERROR;
}

/* What may follow the first byte of a UTF-8 sequence (RFC 3629); false if none may. */
static bool begin_utf8(rc_json *json, unsigned char c) {
  json->lo = 0x80;
  json->hi = 0xBF;
  if (c >= 0xC2 && c <= 0xDF) {
    json->need = 1;
  } else if (c >= 0xE0 && c <= 0xEF) {
    json->need = 2;
    json->lo = c == 0xE0 ? 0xA0 : 0x80;
    json->hi = c == 0xED ? 0x9F : 0xBF;
  } else if (c >= 0xF0 && c <= 0xF4) {
    json->need = 3;
    json->lo = c == 0xF0 ? 0x90 : 0x80;
    json->hi = c == 0xF4 ? 0x8F : 0xBF;
  } else {
    return false;
  }
  return true;
}

/* The state after one byte of a number; FAILED if the byte is not part of it. */
static int number_step(int state, char c) {
  switch (state) {
  case NUMBER_MINUS:
    return c == '0' ? NUMBER_ZERO : is_digit(c) ? NUMBER_INTEGER : FAILED;
  case NUMBER_INTEGER:
    if (is_digit(c)) {
      return NUMBER_INTEGER;
    }
    /* fall through */
  case NUMBER_ZERO:
    return c == '.' ? NUMBER_POINT : (c == 'e' || c == 'E') ? NUMBER_E : FAILED;
  case NUMBER_POINT:
    return is_digit(c) ? NUMBER_FRACTION : FAILED;
  case NUMBER_FRACTION:
    return is_digit(c) ? NUMBER_FRACTION : (c == 'e' || c == 'E') ? NUMBER_E : FAILED;
  case NUMBER_E:
    return (c == '+' || c == '-') ? NUMBER_SIGN : is_digit(c) ? NUMBER_EXPONENT : FAILED;
  default: /* NUMBER_SIGN, NUMBER_EXPONENT */
    return is_digit(c) ? NUMBER_EXPONENT : FAILED;
  }
}

static bool number_may_end(int state) {
  return state == NUMBER_ZERO || state == NUMBER_INTEGER || state == NUMBER_FRACTION ||
         state == NUMBER_EXPONENT;
}

static const char *expected_in_number(int state) {
  return state == NUMBER_E ? "a digit or a sign of the exponent" : "a digit";
}

/* The state after a value: what is open decides what comes next. */
static int after_value(const rc_json *json) {
  return json->depth == 0 ? DONE : AFTER_VALUE;
}

static bool push(rc_json *json, bool object) {
  if (json->depth >= json->max_depth) {
    return false;
  }
  const uint64_t bit = (uint64_t)1 << (json->depth & 63u);
  uint64_t *word = &json->objects[json->depth >> 6];
  *word = object ? *word | bit : *word & ~bit;
  json->depth++;
  json->in_object = object;
  return true;
}

static void pop(rc_json *json) {
  json->depth--;
  if (json->depth > 0) {
    const unsigned level = json->depth - 1;
    json->in_object = (json->objects[level >> 6] >> (level & 63u)) & 1u;
  }
  json->state = after_value(json);
}

/* Sets up the token that begins with c, at json->start; false if no value begins with c. */
static bool begin_value(rc_json *json, char c) {
  json->flags = 0;
  json->is_key = false;
  switch (c) {
  case '"':
    json->type = RC_JSON_STRING;
    json->state = IN_STRING;
    return true;
  case 't':
    json->type = RC_JSON_TRUE;
    json->literal = "true";
    break;
  case 'f':
    json->type = RC_JSON_FALSE;
    json->literal = "false";
    break;
  case 'n':
    json->type = RC_JSON_NULL;
    json->literal = "null";
    break;
  default:
    if (c != '-' && !is_digit(c)) {
      return false;
    }
    json->type = RC_JSON_NUMBER;
    json->flags = RC_JSON_INTEGER;
    json->state = c == '-' ? NUMBER_MINUS : c == '0' ? NUMBER_ZERO : NUMBER_INTEGER;
    return true;
  }
  json->state = IN_LITERAL;
  json->matched = 1;
  return true;
}

static bool refuse(rc_json *json, rc_json_error error, const char *expected) {
  json->error = error;
  json->expected = expected;
  return false;
}

/* The state after the last of \u's four digits; surrogates come in pairs only, high before low. */
static bool end_hex(rc_json *json) {
  const bool low = json->code >= 0xDC00 && json->code <= 0xDFFF;
  if (low != json->high_surrogate) {
    return refuse(json, RC_JSON_BAD_SURROGATE,
                  low ? "no low surrogate without a high one before it"
                      : "a low surrogate after a high one");
  }
  json->high_surrogate = json->code >= 0xD800 && json->code <= 0xDBFF;
  json->state = json->high_surrogate ? PAIR_BACKSLASH : IN_STRING;
  return true;
}

/* Takes one byte of a string that is neither plain nor its end. false if it may not stand there:
 * error and expected say why. */
static bool inside_string(rc_json *json, unsigned char c) {
  switch (json->state) {
  case IN_STRING:
    if (c == '\\') {
      json->flags |= RC_JSON_ESCAPED;
      json->state = IN_ESCAPE;
    } else if (c < 0x20) {
      return refuse(json, RC_JSON_CONTROL_BYTE, "an escape sequence");
    } else if (!begin_utf8(json, c)) {
      return refuse(json, RC_JSON_BAD_UTF8, "the first byte of a UTF-8 sequence");
    } else {
      json->state = IN_UTF8;
    }
    return true;
  case IN_UTF8:
    if (c < json->lo || c > json->hi) {
      return refuse(json, RC_JSON_BAD_UTF8, "a continuation byte of a UTF-8 sequence");
    }
    json->lo = 0x80;
    json->hi = 0xBF;
    if (--json->need == 0) {
      json->state = IN_STRING;
    }
    return true;
  case IN_ESCAPE:
    if (c == 'u') {
      json->state = IN_HEX;
      json->hex_left = 4;
      json->code = 0;
    } else if (c != '\0' && strchr("\"\\/bfnrt", c) != NULL) {
      json->state = IN_STRING;
    } else {
      return refuse(json, RC_JSON_BAD_ESCAPE, "one of \" \\ / b f n r t u after a backslash");
    }
    return true;
  case IN_HEX: {
    const int digit = hex_value((char)c);
    if (digit < 0) {
      return refuse(json, RC_JSON_BAD_ESCAPE, "four hexadecimal digits after \\u");
    }
    json->code = json->code << 4 | (unsigned)digit;
    return --json->hex_left > 0 || end_hex(json);
  }
  case PAIR_BACKSLASH:
    json->state = PAIR_U;
    return c == '\\' || refuse(json, RC_JSON_BAD_SURROGATE, "a low surrogate after a high one");
  default: /* PAIR_U */
    json->state = IN_HEX;
    json->hex_left = 4;
    json->code = 0;
    return c == 'u' || refuse(json, RC_JSON_BAD_SURROGATE, "a low surrogate after a high one");
  }
}

/* Goes on in true, false or null, as far as the bytes go. false: *bytes stands on another one. */
static bool inside_literal(rc_json *json, const char **bytes, const char *end) {
  while (*bytes < end && json->literal[json->matched] == **bytes) {
    ++*bytes;
    json->matched++;
    if (json->literal[json->matched] == '\0') {
      json->state = after_value(json);
      return true;
    }
  }
  return *bytes == end;
}

/* Goes on in a number, as far as the bytes go; a byte that follows it ends it. false: *bytes stands
 * on what may not be there, and expected says what may. */
static bool inside_number(rc_json *json, const char **bytes, const char *end) {
  const char *p = *bytes;
  int state = json->state;
  int next;
  while (p < end && (next = number_step(state, *p)) != FAILED) {
    state = next;
    p++;
  }
  *bytes = p;
  json->state = state;
  if (state >= NUMBER_POINT) {
    json->flags = 0;
  }
  if (p == end) {
    return true;
  }
  if (!number_may_end(state)) {
    return refuse(json, RC_JSON_BAD_NUMBER, expected_in_number(state));
  }
  if (state == NUMBER_ZERO && is_digit(*p)) {
    return refuse(json, RC_JSON_BAD_NUMBER, "no digit after a leading zero");
  }
  json->state = after_value(json);
  return true;
}

/* What may stand where the tokenizer is. */
static const char *expected_here(const rc_json *json) {
  switch ((enum state)json->state) {
  case VALUE:
    return "a value";
  case VALUE_OR_CLOSE:
    return "a value or ']'";
  case KEY:
    return "a key";
  case KEY_OR_CLOSE:
    return "a key or '}'";
  case COLON:
    return "':'";
  case AFTER_VALUE:
    return json->in_object ? "',' or '}'" : "',' or ']'";
  case DONE:
    return "the end of the document";
  case IN_LITERAL:
    return json->literal;
  default:
    return json->state >= NUMBER_MINUS ? "the rest of a number" : "the rest of a string";
  }
}

rc_json_event rc_json_next(rc_json *json, const char **bytes, const char *end) {
  const char *p = *bytes;
  const char *const first = p;
  const uint64_t base = json->offset;

#define OFFSET_OF(q) (base + (uint64_t)((q)-first))
#define ANSWER(event)                                                                              \
  do {                                                                                             \
    json->offset = OFFSET_OF(p);                                                                   \
    *bytes = p;                                                                                    \
    return (event);                                                                                \
  } while (0)
/* p stands on the byte at fault. */
#define FAIL(error, expected) ANSWER(fail(json, (error), (expected), (unsigned char)*p))

  for (;;) {
    if (json->state < DONE) {
      while (p < end && is_space(*p)) {
        p++;
      }
    }
    if (p == end) {
      ANSWER(json->state == FAILED ? RC_JSON_ERROR : RC_JSON_MORE);
    }
    switch ((enum state)json->state) {
    case VALUE_OR_CLOSE:
    case VALUE: {
      const char c = *p;
      if (c == ']' && json->state == VALUE_OR_CLOSE) {
        goto close;
      }
      json->start = OFFSET_OF(p);
      if (c == '{' || c == '[') {
        if (!push(json, c == '{')) {
          FAIL(RC_JSON_TOO_DEEP, NULL);
        }
        p++;
        json->type = c == '{' ? RC_JSON_OBJECT : RC_JSON_ARRAY;
        json->state = c == '{' ? KEY_OR_CLOSE : VALUE_OR_CLOSE;
        if (json->depth - 1 <= json->report_depth) {
          ANSWER(RC_JSON_OPEN);
        }
        break;
      }
      if (!begin_value(json, c)) {
        FAIL(RC_JSON_UNEXPECTED_BYTE, expected_here(json));
      }
      p++;
      break;
    }
    case KEY_OR_CLOSE:
      if (*p == '}') {
        goto close;
      }
      /* fall through */
    case KEY:
      if (*p != '"') {
        FAIL(RC_JSON_UNEXPECTED_BYTE, expected_here(json));
      }
      json->start = OFFSET_OF(p);
      json->flags = 0;
      json->is_key = true;
      json->state = IN_STRING;
      p++;
      break;
    case COLON:
      if (*p != ':') {
        FAIL(RC_JSON_UNEXPECTED_BYTE, expected_here(json));
      }
      p++;
      json->state = VALUE;
      break;
    case AFTER_VALUE:
      if (*p == ',') {
        p++;
        json->state = json->in_object ? KEY : VALUE;
        break;
      }
      if (*p == (json->in_object ? '}' : ']')) {
        goto close;
      }
      FAIL(RC_JSON_UNEXPECTED_BYTE, expected_here(json));
    close:
      json->start = OFFSET_OF(p);
      json->type = json->in_object ? RC_JSON_OBJECT : RC_JSON_ARRAY;
      json->flags = 0;
      p++;
      pop(json);
      if (json->depth <= json->report_depth) {
        ANSWER(RC_JSON_CLOSE);
      }
      break;
    case DONE:
      while (p < end && is_space(*p)) {
        p++;
      }
      if (p < end) {
        FAIL(RC_JSON_TRAILING_BYTES, expected_here(json));
      }
      break;
    case FAILED:
      ANSWER(RC_JSON_ERROR);

    case IN_STRING:
      p = rc_plain_end_before(p, end);
      if (p == end) {
        break;
      }
      if (*p == '"') {
        p++;
        json->state = json->is_key ? COLON : after_value(json);
        if (json->depth <= json->report_depth) {
          ANSWER(json->is_key ? RC_JSON_KEY : RC_JSON_SCALAR);
        }
        break;
      }
      /* fall through */
    case IN_UTF8:
    case IN_ESCAPE:
    case IN_HEX:
    case PAIR_BACKSLASH:
    case PAIR_U:
      if (!inside_string(json, (unsigned char)*p)) {
        FAIL(json->error, json->expected);
      }
      p++;
      break;

    case IN_LITERAL:
      if (!inside_literal(json, &p, end)) {
        FAIL(RC_JSON_BAD_LITERAL, json->literal);
      }
      if (json->state != IN_LITERAL && json->depth <= json->report_depth) {
        ANSWER(RC_JSON_SCALAR);
      }
      break;

    default: /* NUMBER_MINUS … NUMBER_EXPONENT */
      if (!inside_number(json, &p, end)) {
        FAIL(RC_JSON_BAD_NUMBER, json->expected);
      }
      if (json->state < NUMBER_MINUS && json->depth <= json->report_depth) {
        ANSWER(RC_JSON_SCALAR);
      }
      break;
    }
  }
#undef FAIL
#undef ANSWER
#undef OFFSET_OF
}

bool rc_json_seek_element(rc_json *json, const char **bytes, const char *end) {
  const char *p = *bytes;
  if (json->depth == 0 || json->in_object) {
    return false;
  }
  if (json->state == AFTER_VALUE) {
    while (p < end && is_space(*p)) {
      p++;
    }
    if (p < end && *p == ',') {
      p++;
      json->state = VALUE;
    }
  }
  if (json->state == VALUE || json->state == VALUE_OR_CLOSE) {
    while (p < end && is_space(*p)) {
      p++;
    }
  }
  json->offset += (uint64_t)(p - *bytes);
  *bytes = p;
  return p < end && (json->state == VALUE || json->state == VALUE_OR_CLOSE);
}

void rc_json_accept(rc_json *json, size_t length) {
  json->start = json->offset;
  json->offset += length;
  json->state = after_value(json);
}

rc_json_event rc_json_finish(rc_json *json) {
  if (json->state == FAILED) {
    return RC_JSON_ERROR;
  }
  if (json->depth == 0 && number_may_end(json->state)) {
    json->state = DONE;
    return RC_JSON_SCALAR;
  }
  if (json->state == DONE) {
    return RC_JSON_END;
  }
  return fail(json, RC_JSON_UNEXPECTED_END, expected_here(json), -1);
}

const char *rc_json_error_name(rc_json_error error) {
  switch (error) {
  case RC_JSON_OK:
    return "ok";
  case RC_JSON_UNEXPECTED_BYTE:
    return "unexpected_byte";
  case RC_JSON_UNEXPECTED_END:
    return "unexpected_end";
  case RC_JSON_TRAILING_BYTES:
    return "trailing_bytes";
  case RC_JSON_BAD_LITERAL:
    return "bad_literal";
  case RC_JSON_BAD_NUMBER:
    return "bad_number";
  case RC_JSON_BAD_ESCAPE:
    return "bad_escape";
  case RC_JSON_BAD_SURROGATE:
    return "bad_surrogate";
  case RC_JSON_BAD_UTF8:
    return "bad_utf8";
  case RC_JSON_CONTROL_BYTE:
    return "control_byte";
  case RC_JSON_TOO_DEEP:
    return "too_deep";
  }
  return "unknown";
}

void rc_json_describe(const rc_json *json, char *line, size_t size) {
  if (json->error == RC_JSON_TOO_DEEP) {
    (void)snprintf(line, size, "nested deeper than %u levels", json->max_depth);
  } else if (json->got < 0) {
    (void)snprintf(line, size, "expected %s, got the end of the document", json->expected);
  } else if (json->got > 0x20 && json->got < 0x7F) {
    (void)snprintf(line, size, "expected %s, got '%c'", json->expected, json->got);
  } else {
    (void)snprintf(line, size, "expected %s, got byte 0x%02X", json->expected, (unsigned)json->got);
  }
}

const char *rc_json_type_name(rc_json_type type) {
  switch (type) {
  case RC_JSON_NULL:
    return "null";
  case RC_JSON_FALSE:
    return "false";
  case RC_JSON_TRUE:
    return "true";
  case RC_JSON_NUMBER:
    return "a number";
  case RC_JSON_STRING:
    return "a string";
  case RC_JSON_ARRAY:
    return "an array";
  case RC_JSON_OBJECT:
    return "an object";
  }
  return "a value";
}

static unsigned read_hex4(const char *p) {
  unsigned code = 0;
  for (int i = 0; i < 4; i++) {
    code = code << 4 | ((unsigned)hex_value(p[i]) & 0xFu);
  }
  return code;
}

static char *write_utf8(char *to, unsigned code) {
  if (code < 0x80) {
    *to++ = (char)code;
  } else if (code < 0x800) {
    *to++ = (char)(0xC0 | code >> 6);
    *to++ = (char)(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    *to++ = (char)(0xE0 | code >> 12);
    *to++ = (char)(0x80 | (code >> 6 & 0x3F));
    *to++ = (char)(0x80 | (code & 0x3F));
  } else {
    *to++ = (char)(0xF0 | code >> 18);
    *to++ = (char)(0x80 | (code >> 12 & 0x3F));
    *to++ = (char)(0x80 | (code >> 6 & 0x3F));
    *to++ = (char)(0x80 | (code & 0x3F));
  }
  return to;
}

/* Every escape is at least as long as what it stands for, so writing never overtakes reading. */
size_t rc_json_unescape(char *to, const char *from, size_t length) {
  char *const first = to;
  const char *const end = from + length;
  while (from < end) {
    if (*from != '\\') {
      *to++ = *from++;
      continue;
    }
    const char c = from[1];
    from += 2;
    switch (c) {
    case 'b':
      *to++ = '\b';
      break;
    case 'f':
      *to++ = '\f';
      break;
    case 'n':
      *to++ = '\n';
      break;
    case 'r':
      *to++ = '\r';
      break;
    case 't':
      *to++ = '\t';
      break;
    case 'u': {
      unsigned code = read_hex4(from);
      from += 4;
      if (code >= 0xD800 && code <= 0xDBFF) {
        code = 0x10000 + ((code - 0xD800) << 10) + (read_hex4(from + 2) - 0xDC00);
        from += 6;
      }
      to = write_utf8(to, code);
      break;
    }
    default:
      *to++ = c;
    }
  }
  return (size_t)(to - first);
}
