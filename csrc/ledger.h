/* ledger.h - what a page has given: how many users, and which.
 *
 * When a body breaks off and its page is fetched again, or a walk goes on from a checkpoint, the
 * ledger tells which items of the new body were given before. It knows them by their ids as long
 * as it could keep them all (KEPT_MAX), and by a fingerprint of the sequence beyond. An item
 * without an id is known by its position.
 */
#ifndef RC_LEDGER_H
#define RC_LEDGER_H

#include "compat.h"
#include "items.h"
#include "seen.h"

#pragma GCC visibility push(hidden)

#define RC_LEDGER_KEPT_MAX ((size_t)1 << 18) /* ids, of 8 bytes */

typedef struct rc_ledger {
  uint64_t given;       /* items, over all bodies of the page */
  uint64_t allowance;   /* items that may be given in all */
  uint64_t fingerprint; /* of the ids given, in their order */
  uint64_t *kept;       /* owned: the hashes of the ids given */
  size_t kept_count, kept_capacity;
  bool all_kept; /* false once there were too many, or memory was short */
  /* The body that is read now. */
  uint64_t position;         /* items judged */
  uint64_t before;           /* items given by earlier bodies; 0 for the first body */
  uint64_t body_fingerprint; /* of the ids judged */
  rc_seen seen;              /* the ids given by earlier bodies */
  uint64_t hash;             /* of the item judged last */
  size_t id_length;
  char id[64]; /* the name of the field that is the id */
} rc_ledger;

typedef enum rc_verdict {
  RC_GIVE,    /* not given before: call rc_ledger_gave once it has been */
  RC_SKIP,    /* given before */
  RC_CONFLICT /* the body is not the one that was read before, and it cannot be told */
} rc_verdict;

/* Raises unless a ledger stands at the index. */
rc_ledger *rc_ledger_check(lua_State *L, int index);

/* Judges the next item of the body, once for each item. */
rc_verdict rc_ledger_judge(rc_ledger *ledger, const rc_item *item);

/* The item judged last was given. */
void rc_ledger_gave(rc_ledger *ledger);

/* Adds ledger and seen to the table on top. */
void rc_ledger_open(lua_State *L);

#pragma GCC visibility pop

#endif
