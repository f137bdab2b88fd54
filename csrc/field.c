/* field.c - see field.h. */
#include "field.h"

#include <string.h>

/* Moves the bit RC_FIELD_NAME_ESCAPED to the sign. */
#define ESCAPED_TO_SIGN 19
_Static_assert(RC_FIELD_NAME_ESCAPED << ESCAPED_TO_SIGN == 0x80000000u, "it becomes the sign");

static size_t long_name_length(const char *name) {
  const char *p = name;
  while (*p != '"') {
    p += *p == '\\' ? 2 : 1;
  }
  return (size_t)(p - name);
}

size_t rc_field_name_length(const rc_object *object, const rc_field *field) {
  const uint32_t tagged = RC_FIELD_NAME_LENGTH(field->tag);
  return tagged < RC_FIELD_LONG_NAME ? tagged : long_name_length(object->bytes + field->name);
}

/* Between the tokens of a valid object stand no other bytes up to ' '. */
static bool is_space(char c) {
  return (unsigned char)c <= ' ';
}

static inline const char *skip_space(const char *p) {
  while (is_space(*p)) {
    p++;
  }
  return p;
}

static inline const char *trim_space(const char *end) {
  while (is_space(end[-1])) {
    end--;
  }
  return end;
}

/* Where the field's value ends: before the comma and the quote of the next name, or the brace. */
static inline const char *value_end(const rc_object *object, const rc_field *field) {
  if (field + 1 == object->fields + object->field_count) {
    return trim_space(object->bytes + object->length - 1);
  }
  const char *const quote = object->bytes + field[1].name - 1;
  return trim_space(trim_space(quote) - 1);
}

rc_span rc_field_value(const rc_object *object, const rc_field *field) {
  const char *const quote = object->bytes + field->name + rc_field_name_length(object, field);
  const char *const colon = skip_space(quote + 1);
  const char *const value = skip_space(colon + 1);
  const unsigned flags = ((field->tag & RC_FIELD_VALUE_ESCAPED) != 0 ? RC_JSON_ESCAPED : 0) |
                         ((field->tag & RC_FIELD_VALUE_INTEGER) != 0 ? RC_JSON_INTEGER : 0);
  return (rc_span){value, (size_t)(value_end(object, field) - value), RC_FIELD_TYPE(field->tag),
                   flags};
}

/* Is it the field of this name, whose tag says that it may be? */
static bool is_named(const rc_object *object, const rc_field *field, const char *name,
                     size_t length) {
  if ((field->tag & RC_FIELD_NAME_ESCAPED) == 0 && length < RC_FIELD_LONG_NAME) {
    return memcmp(object->bytes + field->name, name, length) == 0;
  }
  const rc_segment segment = {name, length};
  return rc_segment_is_key(&segment, object->bytes + field->name,
                           rc_field_name_length(object, field),
                           (field->tag & RC_FIELD_NAME_ESCAPED) != 0);
}

/* May a field with this tag have the name? An escaped one may have any. */
static inline bool may_be(uint32_t tag, uint32_t wanted) {
  return (tag & RC_FIELD_NAME_MASK) == wanted || (tag & RC_FIELD_NAME_ESCAPED) != 0;
}

#if !defined(RC_PLAIN_C) && defined(__SSE2__)
#include <emmintrin.h>
#define BLOCK 4u

/* Which of four fields may have the name, a bit each. */
static inline unsigned block_may_be(const rc_field *fields, uint32_t wanted) {
  const __m128i low = _mm_loadu_si128((const __m128i *)(const void *)fields);
  const __m128i high = _mm_loadu_si128((const __m128i *)(const void *)(fields + 2));
  const __m128i tags = _mm_castps_si128(
      _mm_shuffle_ps(_mm_castsi128_ps(low), _mm_castsi128_ps(high), _MM_SHUFFLE(3, 1, 3, 1)));
  const __m128i names = _mm_and_si128(tags, _mm_set1_epi32((int)RC_FIELD_NAME_MASK));
  const __m128i equal = _mm_cmpeq_epi32(names, _mm_set1_epi32((int)wanted));
  const __m128i escaped = _mm_slli_epi32(tags, ESCAPED_TO_SIGN);
  return (unsigned)_mm_movemask_ps(_mm_castsi128_ps(_mm_or_si128(equal, escaped)));
}

#else
#define BLOCK 1u

static inline unsigned block_may_be(const rc_field *fields, uint32_t wanted) {
  return may_be(fields->tag, wanted);
}

#endif

const rc_field *rc_field_find(const rc_object *object, const char *name, size_t length) {
  const uint32_t wanted = rc_field_name_tag(name, length);
  uint32_t left = object->field_count; /* from the last on, as of several the last counts */
  for (; left % BLOCK != 0; left--) {
    const rc_field *field = &object->fields[left - 1];
    if (may_be(field->tag, wanted) && is_named(object, field, name, length)) {
      return field;
    }
  }
  for (; left > 0; left -= BLOCK) {
    const rc_field *block = &object->fields[left - BLOCK];
    for (unsigned some = block_may_be(block, wanted), i = BLOCK; some != 0 && i-- > 0;) {
      if ((some >> i & 1u) != 0 && is_named(object, &block[i], name, length)) {
        return &block[i];
      }
    }
  }
  return NULL;
}

bool rc_field_find_at(const rc_object *object, const rc_pointer *pointer, rc_span *found) {
  if (pointer->count == 0) {
    *found = (rc_span){object->bytes, object->length, RC_JSON_OBJECT, 0};
    return true;
  }
  const rc_segment *first = &pointer->segments[0];
  const rc_field *field = rc_field_find(object, first->text, first->length);
  if (field == NULL) {
    return false;
  }
  const rc_span value = rc_field_value(object, field);
  if (pointer->count > 1) {
    return rc_pointer_find(pointer, 1, value, found);
  }
  *found = value;
  return true;
}

bool rc_field_find_id(const rc_object *object, const rc_pointer *pointer, rc_span *found) {
  return rc_field_find_at(object, pointer, found) && found->type != RC_JSON_NULL &&
         !(found->type == RC_JSON_STRING && found->length == 2);
}
