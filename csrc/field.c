/* field.c - see field.h. */
#include "field.h"

#include "pointer.h"

size_t rc_field_name_length(const char *bytes, const rc_field *field) {
  const uint32_t tagged = RC_FIELD_NAME_LENGTH(field->tag);
  if (tagged < RC_FIELD_LONG_NAME) {
    return tagged;
  }
  const char *const start = bytes + field->key;
  const char *p = start;
  while (*p != '"') {
    p += *p == '\\' ? 2 : 1;
  }
  return (size_t)(p - start);
}

const rc_field *rc_field_find(const char *bytes, const rc_field *fields, uint32_t count,
                              const char *name, size_t length) {
  const rc_segment wanted = {name, length};
  const uint32_t tag = rc_field_name_tag(name, length);
  for (uint32_t i = count; i > 0; i--) {
    const rc_field *field = &fields[i - 1];
    const bool escaped = (field->tag & RC_FIELD_NAME_ESCAPED) != 0;
    if (((field->tag & RC_FIELD_NAME_MASK) == tag || escaped) &&
        rc_segment_is_key(&wanted, bytes + field->key, rc_field_name_length(bytes, field),
                          escaped)) {
      return field;
    }
  }
  return NULL;
}
