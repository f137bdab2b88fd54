/* field.c - see field.h. */
#include "field.h"

#include <string.h>

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

/* Between the parts of a valid object nothing stands but these, commas, colons and values. */
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

const rc_field *rc_field_find(const rc_object *object, const char *name, size_t length) {
  const uint32_t wanted = rc_field_name_tag(name, length);
  for (const rc_field *field = object->fields + object->field_count; field-- > object->fields;) {
    const uint32_t other = (field->tag ^ wanted) & (RC_FIELD_NAME_MASK | RC_FIELD_NAME_ESCAPED);
    if (other == 0 && length < RC_FIELD_LONG_NAME) {
      if (memcmp(object->bytes + field->name, name, length) == 0) {
        return field;
      }
    } else if (other == 0 || (other & RC_FIELD_NAME_ESCAPED) != 0) {
      const rc_segment segment = {name, length};
      if (rc_segment_is_key(&segment, object->bytes + field->name,
                            rc_field_name_length(object, field), other != 0)) {
        return field;
      }
    }
  }
  return NULL;
}
