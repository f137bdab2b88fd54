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
#define RC_SCAN_PADDING 16 /* NUL bytes that must be readable after the text */
#define RC_SCAN_TAIL 12    /* more bytes than are there of an escape or a literal that lacks some */

#define RC_SCAN_LEVELS 4  /* deeper ones share the last one's habits, */
#define RC_SCAN_PLACES 64 /* and further ones that of an earlier one */

/* How long names and strings were at each place of the object before. It makes the scan of one that
 * is alike quicker, and no other difference. Zeroed memory will do. */
typedef struct rc_scanner {
  uint8_t names[RC_SCAN_LEVELS][RC_SCAN_PLACES];
  uint8_t strings[RC_SCAN_LEVELS][RC_SCAN_PLACES];
  /* Where it gave up the last object, in its text; its first byte where it is not to be taken
   * however it goes on: it has too many fields, or is nested too deep. */
  const char *stopped;
} rc_scanner;

/* `bytes` stands on a '{'. Answers the object's length and the number of its fields, or 0. Where it
 * stopped in the last RC_SCAN_TAIL bytes, the object may lack nothing but its end. */
size_t rc_scan_object(rc_scanner *scanner, const char *bytes, unsigned max_depth,
                      rc_field fields[RC_SCAN_FIELDS], uint32_t *count);

#pragma GCC visibility pop

#endif
