/* json.h - a resumable JSON tokenizer and validator (RFC 8259).
 *
 * Pure: no Lua, no allocation, no I/O, no recursion. Bytes may stop anywhere and go on in the
 * next call. Everything is validated: grammar, UTF-8, escapes, surrogate pairs, nesting.
 */
#ifndef RC_JSON_H
#define RC_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

/* The deepest nesting that can be asked for; rc_json_init clamps to it. */
#define RC_JSON_DEPTH_CAP 2048u

typedef enum rc_json_type {
  RC_JSON_NULL,
  RC_JSON_FALSE,
  RC_JSON_TRUE,
  RC_JSON_NUMBER,
  RC_JSON_STRING,
  RC_JSON_ARRAY,
  RC_JSON_OBJECT
} rc_json_type;

typedef enum rc_json_event {
  RC_JSON_MORE,   /* every byte given was taken; the document goes on */
  RC_JSON_KEY,    /* an object's key, from its opening quote to its closing one */
  RC_JSON_SCALAR, /* null, false, true, a number or a string (with its quotes) */
  RC_JSON_OPEN,   /* '[' or '{' */
  RC_JSON_CLOSE,  /* ']' or '}' */
  RC_JSON_END,    /* from rc_json_finish: the document is whole */
  RC_JSON_ERROR   /* see error; every later call returns the same */
} rc_json_event;

typedef enum rc_json_error {
  RC_JSON_OK,
  RC_JSON_UNEXPECTED_BYTE,
  RC_JSON_UNEXPECTED_END,
  RC_JSON_TRAILING_BYTES,
  RC_JSON_BAD_LITERAL,
  RC_JSON_BAD_NUMBER,
  RC_JSON_BAD_ESCAPE,
  RC_JSON_BAD_SURROGATE,
  RC_JSON_BAD_UTF8,
  RC_JSON_CONTROL_BYTE,
  RC_JSON_TOO_DEEP
} rc_json_error;

/* Flags of the token of the last event. */
#define RC_JSON_ESCAPED 1u /* a string or key with at least one backslash */
#define RC_JSON_INTEGER 2u /* a number without fraction and exponent */

typedef struct rc_json {
  /* To read after an event; the token spans the bytes from start up to offset. */
  uint64_t offset;      /* bytes taken so far */
  uint64_t start;       /* where the token of the event, or the one that is being read, begins */
  rc_json_type type;    /* of the value (SCALAR, OPEN, CLOSE) */
  unsigned flags;       /* of the token */
  unsigned depth;       /* containers open after the event */
  rc_json_error error;  /* after RC_JSON_ERROR; offset is then the byte at fault */
  const char *expected; /* static text */
  int got;              /* the byte at fault, -1 for none */

  /* To set at any time: what stands in more containers than this is checked, not reported. */
  unsigned report_depth;

  /* Private. */
  unsigned max_depth;
  int state;
  bool in_object, is_key;
  bool high_surrogate;             /* the first half of a pair was read */
  unsigned char need, lo, hi;      /* UTF-8: bytes to come, and the range of the next one */
  unsigned char hex_left, matched; /* of a \u escape, of a literal */
  unsigned code;
  const char *literal;                      /* static text */
  uint64_t objects[RC_JSON_DEPTH_CAP / 64]; /* a bit a level: is it an object? */
} rc_json;

void rc_json_init(rc_json *json, unsigned max_depth);

/* Takes bytes from *bytes up to the next event and moves *bytes past them. */
rc_json_event rc_json_next(rc_json *json, const char **bytes, const char *end);

/* In an array: moves on to the first byte of the next element, or to the bracket that closes an
 * empty array. false: that byte is not there yet, or there is none, or this is no array. */
bool rc_json_seek_element(rc_json *json, const char **bytes, const char *end);

/* After rc_json_seek_element: the `length` bytes from there on are one whole value, which the
 * caller has checked by itself. */
void rc_json_accept(rc_json *json, size_t length);

/* Says that no byte follows: RC_JSON_END, RC_JSON_ERROR, or RC_JSON_SCALAR for a number that only
 * the end of the document ended (then call again). */
rc_json_event rc_json_finish(rc_json *json);

/* Is a string, number or literal being read, so that its bytes from start on are still needed? */
bool rc_json_in_token(const rc_json *json);

/* A static name of the error, such as "bad_utf8". */
const char *rc_json_error_name(rc_json_error error);

/* Writes one readable line about the error, without the offset; always ends it with a NUL. */
void rc_json_describe(const rc_json *json, char *line, size_t size);

/* A static name with its article, such as "an array". */
const char *rc_json_type_name(rc_json_type type);

/* Decodes the inside of a validated string (without quotes) to `to`, which has room for `length`
 * bytes and may be the same memory; returns the decoded length. */
size_t rc_json_unescape(char *to, const char *from, size_t length);

#pragma GCC visibility pop

#endif
