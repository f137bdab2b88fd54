/* scan.c - see scan.h. No bounds are checked: the padding's NULs fit nothing that is expected, so
 * every way ends there at the latest. */
#include "scan.h"

#include "plain.h"

#define MAX_DEPTH 64 /* a bit each; it gives up on deeper ones */

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static bool is_tail(char c) {
  return ((unsigned char)c & 0xC0u) == 0x80;
}

static const char *skip_space(const char *p) {
  /* One comparison where there is none, as is usual. */
  while ((unsigned char)*p <= ' ' && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) {
    p++;
  }
  return p;
}

/* Past one UTF-8 sequence of two to four bytes (RFC 3629), or NULL. */
static const char *scan_utf8(const char *p) {
  const unsigned char a = (unsigned char)p[0];
  const unsigned char b = (unsigned char)p[1];
  if (!is_tail(p[1])) {
    return NULL;
  }
  if (a >= 0xC2 && a <= 0xDF) {
    return p + 2;
  }
  if (!is_tail(p[2])) {
    return NULL;
  }
  if (a >= 0xE0 && a <= 0xEF) {
    return (a == 0xE0 && b < 0xA0) || (a == 0xED && b > 0x9F) ? NULL : p + 3;
  }
  if (a >= 0xF0 && a <= 0xF4 && is_tail(p[3])) {
    return (a == 0xF0 && b < 0x90) || (a == 0xF4 && b > 0x8F) ? NULL : p + 4;
  }
  return NULL;
}

/* The code unit of four hexadecimal digits, or -1. */
static int scan_hex4(const char *p) {
  int code = 0;
  for (int i = 0; i < 4; i++) {
    const char c = p[i];
    int digit = 0;
    if (is_digit(c)) {
      digit = c - '0';
    } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
      digit = (c | 0x20) - 'a' + 10;
    } else {
      return -1;
    }
    code = code << 4 | digit;
  }
  return code;
}

/* Past one escape sequence, or NULL. p stands on the backslash. */
static const char *scan_escape(const char *p) {
  switch (p[1]) {
  case '"':
  case '\\':
  case '/':
  case 'b':
  case 'f':
  case 'n':
  case 'r':
  case 't':
    return p + 2;
  case 'u':
    break;
  default:
    return NULL;
  }
  const int code = scan_hex4(p + 2);
  if (code < 0 || (code >= 0xDC00 && code <= 0xDFFF)) {
    return NULL;
  }
  if (code < 0xD800 || code > 0xDBFF) {
    return p + 6;
  }
  if (p[6] != '\\' || p[7] != 'u') {
    return NULL;
  }
  const int low = scan_hex4(p + 8);
  return low >= 0xDC00 && low <= 0xDFFF ? p + 12 : NULL;
}

/* The same as scan_string, for what is not plain. */
static const char *scan_any_string(const char *p, bool *escaped) {
  for (;;) {
    p = rc_plain_end(p);
    if (*p == '"') {
      return p + 1;
    }
    if (*p == '\\') {
      *escaped = true;
      p = scan_escape(p);
    } else if ((unsigned char)*p >= 0x80) {
      do {
        p = scan_utf8(p);
      } while (p != NULL && (unsigned char)*p >= 0x80);
    } else {
      return NULL;
    }
    if (p == NULL) {
      return NULL;
    }
  }
}

/* Past the string's closing quote, or NULL. p stands after the opening one. */
static inline const char *scan_string(const char *p, bool *escaped) {
  p = rc_plain_end(p);
  return *p == '"' ? p + 1 : scan_any_string(p, escaped);
}

/* Past the number, or NULL. */
static const char *scan_number(const char *p, bool *integer) {
  if (*p == '-') {
    p++;
  }
  if (*p == '0') {
    p++;
  } else if (is_digit(*p)) {
    do {
      p++;
    } while (is_digit(*p));
  } else {
    return NULL;
  }
  *integer = true;
  if (*p == '.') {
    *integer = false;
    p++;
    if (!is_digit(*p)) {
      return NULL;
    }
    do {
      p++;
    } while (is_digit(*p));
  }
  if (*p == 'e' || *p == 'E') {
    *integer = false;
    p++;
    if (*p == '+' || *p == '-') {
      p++;
    }
    if (!is_digit(*p)) {
      return NULL;
    }
    do {
      p++;
    } while (is_digit(*p));
  }
  return p;
}

/* Past the value that is no container, or NULL; adds its type and flags to the tag. */
static inline const char *scan_scalar(const char *p, uint32_t *tag) {
  bool flag = false;
  switch (*p) {
  case '"':
    p = scan_string(p + 1, &flag);
    *tag |= RC_FIELD_TYPE_BITS(RC_JSON_STRING) | (flag ? RC_FIELD_VALUE_ESCAPED : 0);
    return p;
  case 't':
    *tag |= RC_FIELD_TYPE_BITS(RC_JSON_TRUE);
    return p[1] == 'r' && p[2] == 'u' && p[3] == 'e' ? p + 4 : NULL;
  case 'f':
    *tag |= RC_FIELD_TYPE_BITS(RC_JSON_FALSE);
    return p[1] == 'a' && p[2] == 'l' && p[3] == 's' && p[4] == 'e' ? p + 5 : NULL;
  case 'n':
    *tag |= RC_FIELD_TYPE_BITS(RC_JSON_NULL);
    return p[1] == 'u' && p[2] == 'l' && p[3] == 'l' ? p + 4 : NULL;
  default:
    p = scan_number(p, &flag);
    *tag |= RC_FIELD_TYPE_BITS(RC_JSON_NUMBER) | (flag ? RC_FIELD_VALUE_INTEGER : 0);
    return p;
  }
}

/* Past the key and its colon, on the first byte of its value, or NULL. p stands on the quote. */
static inline const char *scan_key(const char *p, bool *escaped, const char **key_end) {
  if (*p != '"') {
    return NULL;
  }
  p = scan_string(p + 1, escaped);
  if (p == NULL) {
    return NULL;
  }
  *key_end = p - 1;
  p = skip_space(p);
  return *p == ':' ? skip_space(p + 1) : NULL;
}

/* Past the array or object that p stands on, or NULL. */
static const char *scan_container(const char *p, unsigned max_depth) {
  uint64_t objects = 0; /* a bit a level, the innermost lowest */
  unsigned depth = 0;
  for (;;) {
    bool ends = false; /* a value has ended */
    if (*p == '{' || *p == '[') {
      const bool object = *p == '{';
      if (depth == max_depth || depth == MAX_DEPTH) {
        return NULL;
      }
      depth++;
      objects = objects << 1 | object;
      p = skip_space(p + 1);
      if (*p == (object ? '}' : ']')) {
        p++;
        depth--;
        objects >>= 1;
        ends = true;
      }
    } else {
      uint32_t tag = 0;
      p = scan_scalar(p, &tag);
      if (p == NULL) {
        return NULL;
      }
      ends = true;
    }
    while (ends) {
      if (depth == 0) {
        return p;
      }
      p = skip_space(p);
      if (*p == ',') {
        p = skip_space(p + 1);
        ends = false;
      } else if (*p == ((objects & 1u) != 0 ? '}' : ']')) {
        p++;
        depth--;
        objects >>= 1;
      } else {
        return NULL;
      }
    }
    if ((objects & 1u) != 0) {
      bool escaped = false;
      const char *key_end;
      p = scan_key(p, &escaped, &key_end);
      if (p == NULL) {
        return NULL;
      }
    }
  }
}

size_t rc_scan_object(const char *bytes, unsigned max_depth, rc_field fields[RC_SCAN_FIELDS],
                      uint32_t *count) {
  const char *p = skip_space(bytes + 1);
  uint32_t n = 0;
  if (max_depth == 0) {
    return 0;
  }
  if (*p == '}') {
    *count = 0;
    return (size_t)(p + 1 - bytes);
  }
  for (; n < RC_SCAN_FIELDS; n++) {
    const char *const key = p + 1;
    const char *key_end;
    bool escaped = false;
    p = scan_key(p, &escaped, &key_end);
    if (p == NULL) {
      return 0;
    }
    const char *const value = p;
    uint32_t tag = rc_field_name_tag(key, (size_t)(key_end - key));
    tag |= escaped ? RC_FIELD_NAME_ESCAPED : 0;
    if (*p == '{' || *p == '[') {
      tag |= RC_FIELD_TYPE_BITS(*p == '{' ? RC_JSON_OBJECT : RC_JSON_ARRAY);
      p = scan_container(p, max_depth - 1);
    } else {
      p = scan_scalar(p, &tag);
    }
    if (p == NULL || p - bytes > INT32_MAX) {
      return 0;
    }
    fields[n] =
        (rc_field){(uint32_t)(key - bytes), (uint32_t)(value - bytes), (uint32_t)(p - value), tag};
    p = skip_space(p);
    if (*p == '}') {
      *count = n + 1;
      return (size_t)(p + 1 - bytes);
    }
    if (*p != ',') {
      return 0;
    }
    p = skip_space(p + 1);
  }
  return 0;
}
