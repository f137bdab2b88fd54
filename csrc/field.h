/* field.h - one field of a JSON object, as an index into the object's text. Pure. */
#ifndef RC_FIELD_H
#define RC_FIELD_H

#include "pointer.h"

#pragma GCC visibility push(hidden)

/* 8 bytes, as every record has one for each field. A value's bounds are not stored: they follow
 * from this name and the next. */
typedef struct rc_field {
  uint32_t name; /* the offset of its first byte, after its quote, from the object's first */
  uint32_t tag;  /* see below */
} rc_field;

/* An object that is known to be valid, and its fields in the order of the text. */
typedef struct rc_object {
  const char *bytes;
  uint32_t length;
  uint32_t field_count;
  const rc_field *fields;
} rc_object;

/* The tag: name length (255: longer), type of the value, flags, the name's first and last byte. */
#define RC_FIELD_NAME_LENGTH(tag) ((tag)&0xFFu)
#define RC_FIELD_LONG_NAME 255u
#define RC_FIELD_TYPE(tag) ((rc_json_type)(((tag)&RC_FIELD_TYPE_MASK) >> 8))
#define RC_FIELD_TYPE_BITS(type) ((uint32_t)(type) << 8)
#define RC_FIELD_TYPE_MASK 0xF00u
#define RC_FIELD_NAME_ESCAPED 0x1000u
#define RC_FIELD_VALUE_ESCAPED 0x2000u
#define RC_FIELD_VALUE_INTEGER 0x4000u
/* The bits in which equal unescaped names agree. */
#define RC_FIELD_NAME_MASK 0xFFFF00FFu

/* The bits under RC_FIELD_NAME_MASK of a name's tag. Inlined, as every read of a field needs it. */
static inline uint32_t rc_field_name_tag(const char *name, size_t length) {
  if (length == 0) {
    return 0;
  }
  const uint32_t first = (unsigned char)name[0];
  const uint32_t last = (unsigned char)name[length - 1];
  const uint32_t tagged = length < RC_FIELD_LONG_NAME ? (uint32_t)length : RC_FIELD_LONG_NAME;
  return tagged | first << 16 | last << 24;
}

/* The length of a field's name as it stands in the text. */
size_t rc_field_name_length(const rc_object *object, const rc_field *field);

/* The text of a field's value, with quotes or brackets, its type and flags. */
rc_span rc_field_value(const rc_object *object, const rc_field *field);

/* The field of this name, the last of several; NULL if there is none. */
const rc_field *rc_field_find(const rc_object *object, const char *name, size_t length);

/* Finds the value that the pointer leads to; false if there is none. */
bool rc_field_find_at(const rc_object *object, const rc_pointer *pointer, rc_span *found);

/* The same for the object's id; false if it has none: it is missing, null or the empty string. */
bool rc_field_find_id(const rc_object *object, const rc_pointer *pointer, rc_span *found);

#pragma GCC visibility pop

#endif
