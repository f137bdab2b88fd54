/* pointer.c - see pointer.h. */
#include "pointer.h"

#include <string.h>

const char *rc_pointer_parse(rc_pointer *pointer, char *text, size_t length) {
  pointer->count = 0;
  if (length == 0) {
    return NULL;
  }
  if (text[0] != '/') {
    return "it must be empty or begin with '/'";
  }
  const char *from = text;
  const char *const end = text + length;
  char *to = text;
  rc_segment *segment = NULL;
  while (from < end) {
    if (*from == '/') {
      if (pointer->count == RC_POINTER_SEGMENTS) {
        return "it has more than 16 segments";
      }
      from++;
      segment = &pointer->segments[pointer->count++];
      segment->text = to;
      segment->length = 0;
      continue;
    }
    char c = *from++;
    if (c == '~') {
      if (from == end || (*from != '0' && *from != '1')) {
        return "'~' must be followed by 0 or 1";
      }
      c = *from++ == '0' ? '~' : '/';
    }
    *to++ = c;
    segment->length++;
  }
  return NULL;
}

/* Compares without a buffer: decodes one escape at a time. A pair is at most 12 bytes of text. */
static bool equals_escaped(const rc_segment *segment, const char *key, size_t length) {
  const char *const end = key + length;
  size_t at = 0;
  while (key < end) {
    char decoded[12];
    size_t taken = 1;
    size_t n = 1;
    decoded[0] = *key;
    if (*key == '\\') {
      taken = 2;
      if (key[1] == 'u') {
        const bool pair =
            end - key >= 12 && (key[2] == 'd' || key[2] == 'D') && strchr("89abAB", key[3]) != NULL;
        taken = pair ? 12 : 6;
      }
      n = rc_json_unescape(decoded, key, taken);
    }
    if (segment->length - at < n || memcmp(segment->text + at, decoded, n) != 0) {
      return false;
    }
    at += n;
    key += taken;
  }
  return at == segment->length;
}

bool rc_segment_is_key(const rc_segment *segment, const char *key, size_t length, bool escaped) {
  if (escaped) {
    return equals_escaped(segment, key, length);
  }
  return segment->length == length && memcmp(segment->text, key, length) == 0;
}

bool rc_segment_is_index(const rc_segment *segment, uint64_t index) {
  char digits[20];
  size_t at = sizeof digits;
  do {
    digits[--at] = (char)('0' + index % 10);
    index /= 10;
  } while (index > 0);
  return segment->length == sizeof digits - at &&
         memcmp(segment->text, digits + at, segment->length) == 0;
}

/* One level: the child of the container `text` that the segment names. */
static bool find_child(const rc_segment *segment, rc_span text, rc_span *found) {
  rc_json json;
  rc_json_init(&json, RC_JSON_DEPTH_CAP);
  json.report_depth = 1;
  const char *p = text.bytes;
  const char *const end = text.bytes + text.length;
  bool any = false;
  bool wanted = false;
  uint64_t index = 0;
  uint64_t start = 0;
  for (;;) {
    const rc_json_event event = rc_json_next(&json, &p, end);
    switch (event) {
    case RC_JSON_KEY:
      wanted = rc_segment_is_key(segment, text.bytes + json.start + 1,
                                 (size_t)(json.offset - json.start - 2),
                                 (json.flags & RC_JSON_ESCAPED) != 0);
      continue;
    case RC_JSON_OPEN:
      start = json.start;
      continue;
    case RC_JSON_SCALAR:
      start = json.start;
      break;
    case RC_JSON_CLOSE:
      break;
    default:
      return any;
    }
    if (json.depth != 1) {
      continue;
    }
    if (text.type == RC_JSON_ARRAY) {
      wanted = rc_segment_is_index(segment, index++);
    }
    if (wanted) {
      any = true;
      found->bytes = text.bytes + start;
      found->length = (size_t)(json.offset - start);
      found->type = json.type;
      found->flags = json.flags;
    }
  }
}

bool rc_pointer_find(const rc_pointer *pointer, unsigned from, rc_span text, rc_span *found) {
  rc_span here = text;
  for (unsigned i = from; i < pointer->count; i++) {
    rc_span next = {0};
    if (here.type != RC_JSON_ARRAY && here.type != RC_JSON_OBJECT) {
      return false;
    }
    if (!find_child(&pointer->segments[i], here, &next)) {
      return false;
    }
    here = next;
  }
  *found = here;
  return true;
}
