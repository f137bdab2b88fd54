/* scan.c - see scan.h. No bounds are checked: the padding's NULs fit nothing that is expected, so
 * every path ends there at the latest. */
#include "scan.h"

#include "plain.h"

#define MAX_DEPTH 64 /* a bit each; the scan gives up on deeper ones */

_Static_assert(RC_PLAIN_BLOCK <= RC_SCAN_PADDING, "a block may begin at the last byte's end");
_Static_assert(RC_SCAN_FIELDS <= RC_SCAN_PLACES, "each field has a place of its own");

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static bool is_tail(char c) {
  return ((unsigned char)c & 0xC0u) == 0x80;
}

static inline const char *skip_space(const char *p) {
  /* One comparison if there is none, as is usual. */
  while ((unsigned char)*p <= ' ' && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) {
    p++;
  }
  return p;
}

/* Past the UTF-8 sequence of two to four bytes (RFC 3629) that p stands on, or NULL. */
static inline const char *scan_utf8(const char *p) {
  const unsigned char a = (unsigned char)p[0];
  const unsigned char b = (unsigned char)p[1];
  if (!is_tail(p[1]) || a < 0xC2) {
    return NULL;
  }
  if (a < 0xE0) {
    return p + 2;
  }
  if (!is_tail(p[2])) {
    return NULL;
  }
  if (a < 0xF0) {
    return (a == 0xE0 && b < 0xA0) || (a == 0xED && b > 0x9F) ? NULL : p + 3;
  }
  if (a <= 0xF4 && is_tail(p[3])) {
    return (a == 0xF0 && b < 0x90) || (a == 0xF4 && b > 0x8F) ? NULL : p + 4;
  }
  return NULL;
}

/* The code unit of four hexadecimal digits, or -1. */
static inline int scan_hex4(const char *p) {
  int code = 0;
  for (int i = 0; i < 4; i++) {
    const char c = p[i];
    const char letter = (char)(c | 0x20);
    int digit = 0;
    if (is_digit(c)) {
      digit = c - '0';
    } else if (letter >= 'a' && letter <= 'f') {
      digit = letter - 'a' + 10;
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

/* Past a string, and what is known of it: two registers. */
typedef struct scanned {
  const char *end; /* past the closing quote, or NULL */
  uint32_t flags;  /* `escaped` of scan_rest if there is an escape, else 0 */
} scanned;

/* The rest of a string, from the first byte that is not plain. */
static scanned scan_rest(const char *p, uint32_t escaped, rc_scanner *scanner) {
  uint32_t flags = 0;
  for (;;) {
    const char *before = p;
    if (*p == '"') {
      return (scanned){p + 1, flags};
    }
    if (*p == '\\') {
      flags = escaped;
      do {
        before = p;
        p = scan_escape(p);
      } while (p != NULL && *p == '\\');
    } else if ((unsigned char)*p >= 0x80) {
      do {
        before = p;
        p = scan_utf8(p);
      } while (p != NULL && (unsigned char)*p >= 0x80);
    } else {
      p = NULL;
    }
    if (p == NULL) {
      scanner->stopped = before;
      return (scanned){NULL, 0};
    }
    p = rc_plain_end(p);
  }
}

/* Past the string that p stands on the first byte of. `rest` as for rc_plain_end_again. */
static inline scanned scan_string(const char *p, uint32_t escaped, uint8_t *rest,
                                  rc_scanner *scanner) {
  p = rc_plain_end_again(p, rest);
  return *p == '"' ? (scanned){p + 1, 0} : scan_rest(p, escaped, scanner);
}

static inline const char *skip_digits(const char *p) {
  while (is_digit(*p)) {
    p++;
  }
  return p;
}

/* Past the number, or NULL; adds its type and flags to *tag. */
static const char *scan_number(const char *p, uint32_t *tag) {
  bool integer = true;
  if (*p == '-') {
    p++;
  }
  if (!is_digit(*p)) {
    return NULL;
  }
  p = *p == '0' ? p + 1 : skip_digits(p);
  if (*p == '.') {
    integer = false;
    if (!is_digit(*++p)) {
      return NULL;
    }
    p = skip_digits(p);
  }
  if (*p == 'e' || *p == 'E') {
    integer = false;
    p++;
    if (*p == '+' || *p == '-') {
      p++;
    }
    if (!is_digit(*p)) {
      return NULL;
    }
    p = skip_digits(p);
  }
  *tag |= RC_FIELD_TYPE_BITS(RC_JSON_NUMBER) | (integer ? RC_FIELD_VALUE_INTEGER : 0);
  return p;
}

/* Past the number or literal, or NULL; adds its type and flags to *tag. */
static const char *scan_word(const char *p, uint32_t *tag) {
  switch (*p) {
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
    return scan_number(p, tag);
  }
}

/* Gives up at p, where the text may have been cut. */
static inline const char *give_up(rc_scanner *scanner, const char *p) {
  scanner->stopped = p;
  return NULL;
}

/* Past the colon after a name, on the first byte of the value, or NULL. */
static inline const char *scan_colon(const char *p, rc_scanner *scanner) {
  if (*p != ':') {
    p = skip_space(p);
    if (*p != ':') {
      return give_up(scanner, p);
    }
  }
  return skip_space(p + 1);
}

/* Past the array or object that p stands on, or NULL.
 *
 * A pushdown automaton without recursion. value: p where a value is to begin; after_value: after
 * one, inside a container; name: where a name's quote is to be; close: on the closing bracket.
 * `objects` and `outer` are its stack, `depth` their height. */
static const char *scan_container(const char *p, unsigned max_depth, rc_scanner *scanner) {
  uint8_t outer[MAX_DEPTH]; /* `place` in each container around */
  uint8_t place = 0;        /* names so far in the innermost */
  uint64_t objects = 0;     /* is it an object? A bit for each level, the innermost lowest */
  unsigned depth = 0;
  if (max_depth > MAX_DEPTH) {
    max_depth = MAX_DEPTH;
  }
value:
  if (*p == '"') {
    uint8_t *strings = scanner->strings[depth < RC_SCAN_LEVELS ? depth : RC_SCAN_LEVELS - 1];
    p = scan_string(p + 1, 0, &strings[place % RC_SCAN_PLACES], scanner).end;
  } else if (*p == '{' || *p == '[') {
    const bool object = *p == '{';
    if (depth == max_depth) {
      return NULL; /* unusual, however it goes on */
    }
    outer[depth++] = place;
    place = 0;
    objects = objects << 1 | object;
    p = skip_space(p + 1);
    if (*p == (object ? '}' : ']')) {
      goto close;
    }
    if (object) {
      goto name;
    }
    goto value;
  } else {
    uint32_t tag = 0;
    const char *const word = p;
    p = scan_word(p, &tag);
    if (p == NULL) {
      return give_up(scanner, word);
    }
  }
  if (p == NULL || depth == 0) {
    return p;
  }
after_value:
  if (*p != ',') {
    p = skip_space(p);
    if (*p == ((objects & 1u) != 0 ? '}' : ']')) {
      goto close;
    }
    if (*p != ',') {
      return give_up(scanner, p);
    }
  }
  p = skip_space(p + 1);
  if ((objects & 1u) == 0) {
    goto value;
  }
name : {
  uint8_t *names = scanner->names[depth < RC_SCAN_LEVELS ? depth : RC_SCAN_LEVELS - 1];
  uint8_t *rest = &names[++place % RC_SCAN_PLACES];
  if (*p != '"') {
    return give_up(scanner, p);
  }
  if ((p = scan_string(p + 1, 0, rest, scanner).end) == NULL ||
      (p = scan_colon(p, scanner)) == NULL) {
    return NULL;
  }
  goto value;
}
close:
  p++;
  place = outer[--depth];
  objects >>= 1;
  if (depth > 0) {
    goto after_value;
  }
  return p;
}

size_t rc_scan_object(rc_scanner *scanner, const char *bytes, unsigned max_depth,
                      rc_field fields[RC_SCAN_FIELDS], uint32_t *count) {
  const char *p = skip_space(bytes + 1);
  uint32_t n = 0;
  scanner->stopped = bytes;
  if (max_depth == 0) {
    return 0;
  }
  if (*p == '}') {
    *count = 0;
    return (size_t)(p + 1 - bytes);
  }
  for (; n < RC_SCAN_FIELDS; n++) {
    const char *const name = p + 1;
    if (*p != '"') {
      scanner->stopped = p;
      return 0;
    }
    scanned string = scan_string(name, RC_FIELD_NAME_ESCAPED, &scanner->names[0][n], scanner);
    if (string.end == NULL || (p = scan_colon(string.end, scanner)) == NULL) {
      return 0;
    }
    uint32_t tag = rc_field_name_tag(name, (size_t)(string.end - 1 - name)) | string.flags;
    if (*p == '"') {
      string = scan_string(p + 1, RC_FIELD_VALUE_ESCAPED, &scanner->strings[0][n], scanner);
      tag |= RC_FIELD_TYPE_BITS(RC_JSON_STRING) | string.flags;
      p = string.end;
    } else if (*p == '{' || *p == '[') {
      tag |= RC_FIELD_TYPE_BITS(*p == '{' ? RC_JSON_OBJECT : RC_JSON_ARRAY);
      p = scan_container(p, max_depth - 1, scanner);
    } else {
      const char *const word = p;
      p = scan_word(p, &tag);
      if (p == NULL) {
        scanner->stopped = word;
      }
    }
    if (p == NULL) {
      return 0;
    }
    fields[n] = (rc_field){(uint32_t)(name - bytes), tag};
    if (*p != ',') {
      p = skip_space(p);
      if (*p == '}') {
        *count = n + 1;
        return p - bytes < INT32_MAX ? (size_t)(p + 1 - bytes) : 0; /* else offsets were cut */
      }
      if (*p != ',') {
        scanner->stopped = p;
        return 0;
      }
    }
    p = skip_space(p + 1);
  }
  return 0; /* too many fields, however it goes on */
}
