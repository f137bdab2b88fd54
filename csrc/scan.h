/* scan.h - the quick way through one JSON object that is whole in memory.
 *
 * Checks and indexes it in one pass, or gives up: where it is not whole, not valid, or unusual. Who
 * called then goes the careful way, through json.h, which decides and says what is wrong. Pure.
 */
#ifndef RC_SCAN_H
#define RC_SCAN_H

#include "field.h"

#pragma GCC visibility push(hidden)

#define RC_SCAN_FIELDS 64  /* of an object; it gives up on more */
#define RC_SCAN_PADDING 32 /* NUL bytes that must be readable after the text */
#define RC_SCAN_TAIL 12    /* more bytes than the longest escape sequence, or word, but its last */

#define RC_SCAN_LEVELS 4  /* deeper ones share the last one's habits, */
#define RC_SCAN_PLACES 32 /* and further fields that of an earlier one */
#define RC_SCAN_MISSING 2 /* places that are looked ahead for a name */
#define RC_SCAN_NAME 32   /* bytes of a name that can be a habit, with its quotes and colon */

/* What stood at a place of the object before. It makes the scan of one that is alike quicker, and
 * no other difference. */
typedef struct rc_habit {
  char name[RC_SCAN_NAME]; /* from quote to colon */
  uint32_t tag;            /* of the name */
  uint8_t name_length;     /* of what stands in `name`; 0: none */
  uint8_t string;          /* bytes of the value's string after the last whole block */
} rc_habit;

/* Zeroed memory will do. */
typedef struct rc_scanner {
  rc_habit habits[RC_SCAN_LEVELS][RC_SCAN_PLACES];
  const char *stopped; /* where it last gave up */
} rc_scanner;

/* `bytes` stands on a '{'. Answers the object's length and the number of its fields, or 0. Where it
 * stopped in the last RC_SCAN_TAIL bytes, the object may lack nothing but its end. */
size_t rc_scan_object(rc_scanner *scanner, const char *bytes, unsigned max_depth,
                      rc_field fields[RC_SCAN_FIELDS], uint32_t *count);

#pragma GCC visibility pop

#endif
