/* delivery.c - see delivery.h. */
#include "delivery.h"

#include <stdlib.h>
#include <string.h>

#define HAS_ID ((uint64_t)1)

const char *rc_delivery_init(rc_delivery *delivery, const char *id, size_t id_length) {
  memset(delivery, 0, sizeof *delivery);
  delivery->all_kept = true;
  memcpy(delivery->id_text, id, id_length);
  return rc_pointer_parse(&delivery->id, delivery->id_text, id_length);
}

static void forget_kept(rc_delivery *delivery) {
  free(delivery->kept);
  delivery->kept = NULL;
  delivery->kept_count = delivery->kept_capacity = 0;
}

void rc_delivery_clear(rc_delivery *delivery) {
  forget_kept(delivery);
  delivery->all_kept = false;
  rc_seen_clear(&delivery->seen);
}

void rc_delivery_begin_body(rc_delivery *delivery) {
  delivery->before = delivery->given;
  delivery->position = 0;
  delivery->body_fingerprint = 0;
  delivery->differs = delivery->unsure = false;
  rc_seen_clear(&delivery->seen);
}

/* Of what the value means: the same however a string's characters are escaped. */
static uint64_t hash_value(rc_span value) {
  if ((value.flags & RC_JSON_ESCAPED) == 0) {
    return rc_hash(value.bytes, value.length);
  }
  char few[256];
  char *decoded = value.length <= sizeof few ? few : malloc(value.length);
  if (decoded == NULL) {
    return rc_hash(value.bytes, value.length);
  }
  decoded[0] = '"';
  const size_t length = rc_json_unescape(decoded + 1, value.bytes + 1, value.length - 2);
  decoded[length + 1] = '"';
  const uint64_t hash = rc_hash(decoded, length + 2);
  if (decoded != few) {
    free(decoded);
  }
  return hash;
}

/* The hash of the item's id, or of its text if it has none. The last bit says which. */
static uint64_t identify(const rc_delivery *delivery, const rc_object *object, bool *has_id) {
  rc_span id;
  *has_id = rc_field_find_id(object, &delivery->id, &id);
  if (!*has_id) {
    return rc_hash(object->bytes, object->length) & ~HAS_ID;
  }
  return hash_value(id) | HAS_ID;
}

/* From here on the body differs from what was given: its items are looked up one by one. */
static bool begin_difference(rc_delivery *delivery) {
  for (size_t i = 0; i < delivery->before; i++) {
    if (!rc_seen_add(&delivery->seen, delivery->kept[i])) {
      return false;
    }
  }
  delivery->differs = true;
  return true;
}

rc_verdict rc_delivery_judge(rc_delivery *delivery, const rc_object *item) {
  const uint64_t place = delivery->position;
  bool has_id;
  delivery->hash = identify(delivery, item, &has_id);
  delivery->position++;
  if (!delivery->differs) {
    if (place >= delivery->before) {
      return delivery->unsure ? RC_CONFLICT : RC_GIVE;
    }
    if (!delivery->all_kept) {
      delivery->body_fingerprint = rc_hash_mix(delivery->body_fingerprint, delivery->hash);
      return place + 1 < delivery->before || delivery->body_fingerprint == delivery->fingerprint
                 ? RC_SKIP
                 : RC_CONFLICT;
    }
    if (delivery->kept[place] == delivery->hash) {
      delivery->unsure = false;
      return RC_SKIP;
    }
    if (!has_id && (delivery->kept[place] & HAS_ID) == 0) {
      delivery->unsure = true;
      return RC_SKIP;
    }
    if (delivery->unsure || !begin_difference(delivery)) {
      return RC_CONFLICT;
    }
  }
  if (!has_id) {
    return RC_CONFLICT;
  }
  return rc_seen_has(&delivery->seen, delivery->hash) ? RC_SKIP : RC_GIVE;
}

static bool keep(rc_delivery *delivery, uint64_t hash) {
  if (delivery->kept_count == delivery->kept_capacity) {
    const size_t capacity = delivery->kept_capacity > 0 ? delivery->kept_capacity * 2 : 128;
    uint64_t *grown = delivery->kept_count < RC_DELIVERY_MAX_KEPT
                          ? realloc(delivery->kept, capacity * sizeof *grown)
                          : NULL;
    if (grown == NULL) {
      return false;
    }
    delivery->kept = grown;
    delivery->kept_capacity = capacity;
  }
  delivery->kept[delivery->kept_count++] = hash;
  return true;
}

void rc_delivery_gave(rc_delivery *delivery) {
  delivery->given++;
  delivery->fingerprint_before = delivery->fingerprint;
  delivery->fingerprint = rc_hash_mix(delivery->fingerprint, delivery->hash);
  /* An item is given after the prefix or after a difference: this body no longer needs `kept`. */
  if (delivery->all_kept && !keep(delivery, delivery->hash)) {
    delivery->all_kept = false;
    forget_kept(delivery);
  }
}

bool rc_delivery_is_short(const rc_delivery *delivery) {
  return (!delivery->all_kept || delivery->unsure) && !delivery->differs &&
         delivery->position < delivery->before;
}

static void put64(char *to, uint64_t n) {
  for (int i = 0; i < 8; i++) {
    to[i] = (char)(n >> (8 * i) & 0xFF);
  }
}

static uint64_t get64(const char *from) {
  uint64_t n = 0;
  for (int i = 0; i < 8; i++) {
    n |= (uint64_t)(unsigned char)from[i] << (8 * i);
  }
  return n;
}

size_t rc_delivery_saved_size(const rc_delivery *delivery, size_t most, bool less_last) {
  const size_t count = delivery->all_kept ? delivery->kept_count - less_last : 0;
  return 16 + (count <= most ? count * 8 : 0);
}

void rc_delivery_save(const rc_delivery *delivery, size_t most, bool less_last, char *to) {
  const size_t size = rc_delivery_saved_size(delivery, most, less_last);
  put64(to, delivery->given - less_last);
  put64(to + 8, less_last ? delivery->fingerprint_before : delivery->fingerprint);
  for (size_t at = 16; at < size; at += 8) {
    put64(to + at, delivery->kept[at / 8 - 2]);
  }
}

bool rc_delivery_load(rc_delivery *delivery, const char *from, size_t length) {
  if (length < 16 || length % 8 != 0) {
    return false;
  }
  const uint64_t given = get64(from);
  const size_t count = length / 8 - 2;
  if (given > (uint64_t)1 << 53 || (count > 0 && count != given)) {
    return false;
  }
  delivery->all_kept = count == given;
  for (size_t i = 0; i < count && delivery->all_kept; i++) {
    delivery->all_kept = keep(delivery, get64(from + 16 + i * 8));
  }
  if (!delivery->all_kept) {
    forget_kept(delivery);
  }
  delivery->given = given;
  delivery->fingerprint = get64(from + 8);
  rc_delivery_begin_body(delivery);
  return true;
}
