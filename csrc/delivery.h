/* delivery.h - which items of a page were given, when its body comes more than once.
 *
 * A body breaks off and its page is fetched again, or a walk goes on from a checkpoint: delivery
 * says which items of the new body were given before. As long as the new body begins like the old
 * one, what it gave is its prefix. Where the two differ, items are known by their ids; one without
 * an id by its place, if what stands behind it still stands there. Where neither can tell, or ids
 * were too many to keep, it says so. Pure.
 */
#ifndef RC_DELIVERY_H
#define RC_DELIVERY_H

#include "field.h"
#include "seen.h"

#pragma GCC visibility push(hidden)

#define RC_DELIVERY_KEPT ((size_t)1 << 18) /* ids, of 8 bytes each */
#define RC_DELIVERY_ID 128                 /* bytes of the id's pointer, with a NUL */

typedef struct rc_delivery {
  uint64_t given;              /* items, over all bodies of the page */
  uint64_t fingerprint;        /* of what was given, in its order */
  uint64_t fingerprint_before; /* the same, without the item given last */
  uint64_t *kept;              /* owned: a hash for each item given, in its order */
  size_t kept_count, kept_capacity;
  bool all_kept; /* false once there were too many, or memory was short: kept is empty then */
  /* The body that is read now. */
  uint64_t before;           /* items that earlier bodies gave */
  uint64_t position;         /* items judged */
  uint64_t body_fingerprint; /* of the items judged, while only the fingerprint is there */
  bool unsure; /* an item without id was taken for another of its place: one behind it must match */
  bool differs; /* from what was given: `seen` has the hashes of that now */
  rc_seen seen;
  uint64_t hash; /* of the item judged last */
  rc_pointer id;
  char id_text[RC_DELIVERY_ID]; /* which `id` refers to: the whole stays where it is */
} rc_delivery;

typedef enum rc_verdict {
  RC_GIVE,    /* not given before: call rc_delivery_gave once it has been */
  RC_SKIP,    /* given before */
  RC_CONFLICT /* it cannot be told */
} rc_verdict;

/* Begins a page. `id` is a pointer, in an item, of less than RC_DELIVERY_ID bytes; NULL, or what is
 * wrong with it. */
const char *rc_delivery_init(rc_delivery *delivery, const char *id, size_t id_length);
void rc_delivery_clear(rc_delivery *delivery);

/* Another body of the same page begins. */
void rc_delivery_begin_body(rc_delivery *delivery);

/* Judges the next item of the body, once for each item. */
rc_verdict rc_delivery_judge(rc_delivery *delivery, const rc_object *item);

/* The item judged last was given. */
void rc_delivery_gave(rc_delivery *delivery);

/* The body has ended: is it so short that what was given cannot be told from it? */
bool rc_delivery_is_short(const rc_delivery *delivery);

/* For checkpoints: `given`, `fingerprint` and, where all were kept, at most `most` hashes. Writes
 * rc_delivery_saved_size bytes. `less_last`: as it was before the item given last; one was given
 * since rc_delivery_init. */
size_t rc_delivery_saved_size(const rc_delivery *delivery, size_t most, bool less_last);
void rc_delivery_save(const rc_delivery *delivery, size_t most, bool less_last, char *to);

/* Takes up what was saved, after rc_delivery_init; false where that is none. */
bool rc_delivery_load(rc_delivery *delivery, const char *from, size_t length);

#pragma GCC visibility pop

#endif
