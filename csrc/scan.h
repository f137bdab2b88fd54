/* scan.h - the fast path: checks and indexes one JSON object in a single pass if it is whole in
 * memory. If it is incomplete, invalid or unusual the scan gives up, and the caller falls back to
 * json.h, which decides and reports. Pure. */
#ifndef RC_SCAN_H
#define RC_SCAN_H

#include "field.h"

#pragma GCC visibility push(hidden)

#define RC_SCAN_FIELDS 64  /* of an object; the scan gives up on more */
#define RC_SCAN_PADDING 16 /* NUL bytes that must be readable after the text */
#define RC_SCAN_TAIL 12    /* longer than any cut-off literal, or pair of \u escapes */

#define RC_SCAN_LEVELS 4  /* levels with length predictions; deeper ones share the last's */
#define RC_SCAN_PLACES 64 /* names with predictions in a level; later ones share earlier ones' */

/* How long names and strings were at each place of earlier objects: predictions, which make the
 * scan of a similar one faster, and no other difference. Zeroed memory will do. */
typedef struct rc_scanner {
  uint8_t names[RC_SCAN_LEVELS][RC_SCAN_PLACES];
  uint8_t strings[RC_SCAN_LEVELS][RC_SCAN_PLACES];
  /* Where it gave up the last object, in its text; its first byte if more bytes cannot help, as it
   * has too many fields or is nested too deep. */
  const char *stopped;
} rc_scanner;

/* `bytes` stands on a '{'. Returns the object's length and the number of its fields, or 0. If it
 * stopped in the last RC_SCAN_TAIL bytes, the object may merely be cut off. */
size_t rc_scan_object(rc_scanner *scanner, const char *bytes, unsigned max_depth,
                      rc_field fields[RC_SCAN_FIELDS], uint32_t *count);

#pragma GCC visibility pop

#endif
