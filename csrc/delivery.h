/* delivery.h - which items of a page were given, when its body comes more than once.
 *
 * A body breaks off and its page is fetched again, or a walk goes on from a checkpoint: delivery
 * says which items of the new body were given before. As long as the new body begins like the old
 * one, what it gave is its prefix. Where the two differ, items are known by their ids; one without
 * an id by its position, if what follows it is still the same. If neither can tell, or ids were too
 * many to keep, it says so. Pure. */
#ifndef RC_DELIVERY_H
#define RC_DELIVERY_H

#include "field.h"
#include "seen.h"

#pragma GCC visibility push(hidden)

#define RC_DELIVERY_MAX_KEPT ((size_t)1 << 18) /* hashes, of 8 bytes each */
#define RC_DELIVERY_ID_SIZE 128                /* bytes of the id's pointer, with a NUL */

typedef struct rc_delivery {
  uint64_t given;              /* items, over all bodies of the page */
  uint64_t fingerprint;        /* of what was given, in order */
  uint64_t fingerprint_before; /* the same, without the last item given */
  uint64_t *kept;              /* owned: a hash for each item given, in order */
  size_t kept_count, kept_capacity;
  bool all_kept; /* false once there were too many, or memory was short: kept is empty then */
  /* The body that is being read. */
  uint64_t before;           /* items that earlier bodies gave */
  uint64_t position;         /* items judged */
  uint64_t body_fingerprint; /* of the items judged, while only the fingerprint is there */
  bool unsure;  /* an item without an id was skipped by its position alone: a later one must match,
                   or it is a conflict */
  bool differs; /* from what was given, whose hashes are in `seen` now */
  rc_seen seen;
  uint64_t hash; /* of the item judged last */
  rc_pointer id;
  char id_text[RC_DELIVERY_ID_SIZE]; /* `id` points into it, so an rc_delivery must not move */
} rc_delivery;

typedef enum rc_verdict {
  RC_GIVE,    /* not given before: call rc_delivery_gave once it has been */
  RC_SKIP,    /* given before */
  RC_CONFLICT /* cannot be told */
} rc_verdict;

/* Begins a page. `id` is a pointer, in an item, shorter than RC_DELIVERY_ID_SIZE; NULL, or what is
 * wrong with it. */
const char *rc_delivery_init(rc_delivery *delivery, const char *id, size_t id_length);

/* Frees what it owns. */
void rc_delivery_clear(rc_delivery *delivery);

/* Another body of the same page begins. */
void rc_delivery_begin_body(rc_delivery *delivery);

/* Judges the next item of the body, once for each item. */
rc_verdict rc_delivery_judge(rc_delivery *delivery, const rc_object *item);

/* The item judged last was given. */
void rc_delivery_gave(rc_delivery *delivery);

/* The body has ended: is it too short to tell what was given? */
bool rc_delivery_is_short(const rc_delivery *delivery);

/* For checkpoints: `given`, `fingerprint` and, if all were kept and they are at most `most`, the
 * hashes. Writes rc_delivery_saved_size bytes. `less_last`: as it was before the last item given;
 * one was given since rc_delivery_init. */
size_t rc_delivery_saved_size(const rc_delivery *delivery, size_t most, bool less_last);
void rc_delivery_save(const rc_delivery *delivery, size_t most, bool less_last, char *to);

/* Restores what was saved, after rc_delivery_init; false if it is ill-formed. */
bool rc_delivery_load(rc_delivery *delivery, const char *from, size_t length);

#pragma GCC visibility pop

#endif
