/* field.c - see field.h. */
#include "field.h"

#include <string.h>

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
  const uint32_t wanted = rc_field_name_tag(name, length);
  for (const rc_field *field = fields + count; field-- > fields;) {
    const uint32_t other = (field->tag ^ wanted) & (RC_FIELD_NAME_MASK | RC_FIELD_NAME_ESCAPED);
    if (other == 0 && length < RC_FIELD_LONG_NAME) {
      if (memcmp(bytes + field->key, name, length) == 0) {
        return field;
      }
    } else if (other == 0 || (other & RC_FIELD_NAME_ESCAPED) != 0) {
      const rc_segment segment = {name, length};
      if (rc_segment_is_key(&segment, bytes + field->key, rc_field_name_length(bytes, field),
                            other != 0)) {
        return field;
      }
    }
  }
  return NULL;
}
