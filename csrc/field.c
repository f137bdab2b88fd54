/* field.c - see field.h. */
#include "field.h"

#include <string.h>

size_t rc_field_name_length(const rc_object *object, const rc_field *field) {
  const uint32_t tagged = RC_FIELD_NAME_LENGTH(field->tag);
  if (tagged < RC_FIELD_LONG_NAME) {
    return tagged;
  }
  const char *const start = object->bytes + field->name;
  const char *p = start;
  while (*p != '"') {
    p += *p == '\\' ? 2 : 1;
  }
  return (size_t)(p - start);
}

static bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static const char *skip_space(const char *p) {
  while (is_space(*p)) {
    p++;
  }
  return p;
}

static const char *trim_space(const char *end) {
  while (is_space(end[-1])) {
    end--;
  }
  return end;
}

/* Where the field's value ends: before the comma and the quote of the next name, or the brace. */
static const char *value_end(const rc_object *object, const rc_field *field) {
  if (field + 1 == object->fields + object->field_count) {
    return trim_space(object->bytes + object->length - 1);
  }
  const char *const quote = object->bytes + field[1].name - 1;
  return trim_space(trim_space(quote) - 1);
}

rc_span rc_field_value(const rc_object *object, const rc_field *field) {
  const char *p = object->bytes + field->name + rc_field_name_length(object, field);
  p = skip_space(p + 1); /* the name's quote is behind; p stands on the colon */
  p = skip_space(p + 1);
  rc_span span = {p, (size_t)(value_end(object, field) - p), RC_FIELD_TYPE(field->tag), 0};
  if ((field->tag & RC_FIELD_VALUE_ESCAPED) != 0) {
    span.flags |= RC_JSON_ESCAPED;
  }
  if ((field->tag & RC_FIELD_VALUE_INTEGER) != 0) {
    span.flags |= RC_JSON_INTEGER;
  }
  return span;
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
