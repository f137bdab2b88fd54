/* Delivery: a page is fetched again and again, breaks off, changes between, and is gone on with
 * from what was saved. No user with an id is given twice, none is skipped that was not given; as
 * long as the server repeats itself all are given; where only users without an id change, in their
 * places, as many are given as there are. Input: how many hashes to save, then bodies: a byte that
 * says how it differs from the one before (and whether the walk is saved first, with or without the
 * user given last), one where it differs, one where it breaks off. */
#include "delivery.h"

#include "fuzz.h"

enum { USERS = 24 };

/* A page: each user a number; those above 200 have no id. No id is there twice. */
typedef struct page {
  uint8_t users[USERS];
  unsigned count;
} page;

static bool has_id(uint8_t user) {
  return user <= 200;
}

static bool contains(const uint8_t *users, size_t count, uint8_t user) {
  return count > 0 && memchr(users, user, count) != NULL;
}

static void insert(page *p, unsigned at, uint8_t user) {
  if (p->count < USERS && !(has_id(user) && contains(p->users, p->count, user))) {
    memmove(p->users + at + 1, p->users + at, p->count - at);
    p->users[at] = user;
    p->count++;
  }
}

static void change(page *p, unsigned how, unsigned where, uint8_t user) {
  const unsigned at = where % (p->count + 1);
  if (how == 0 && at < p->count && !has_id(p->users[at]) && user % 2 == 0) {
    p->users[at] = (uint8_t)(201 + user % 55); /* the same one, with something else in it */
  }
  if (how == 1) {
    insert(p, at, user);
  } else if (how == 2 && at < p->count) {
    memmove(p->users + at, p->users + at + 1, p->count - at - 1);
    p->count--;
  } else if (how == 3 && at + 1 < p->count) {
    const uint8_t first = p->users[at];
    p->users[at] = p->users[at + 1];
    p->users[at + 1] = first;
  }
}

static rc_verdict judge(rc_delivery *delivery, uint8_t user) {
  char text[32];
  const int length =
      snprintf(text, sizeof text, has_id(user) ? "{\"id\":%u}" : "{\"no\":%u}", user);
  const rc_field field = {2, rc_field_name_tag(text + 2, 2) | RC_FIELD_TYPE_BITS(RC_JSON_NUMBER)};
  const rc_object object = {text, (uint32_t)length, 1, &field};
  return rc_delivery_judge(delivery, &object);
}

static void save_and_load(rc_delivery *delivery, size_t most, bool less_last) {
  const size_t size = rc_delivery_saved_size(delivery, most, less_last);
  char *saved = malloc(size);
  CHECK(saved != NULL);
  rc_delivery_save(delivery, most, less_last, saved);
  rc_delivery_clear(delivery);
  (void)rc_delivery_init(delivery, "/id", 3);
  CHECK(rc_delivery_load(delivery, saved, size));
  rc_delivery_clear(delivery);
  (void)rc_delivery_init(delivery, "/id", 3);
  CHECK(!rc_delivery_load(delivery, saved, size - 1));
  rc_delivery_clear(delivery);
  (void)rc_delivery_init(delivery, "/id", 3);
  CHECK(rc_delivery_load(delivery, saved, size));
  free(saved);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_input input = {data, size};
  const size_t most = fuzz_byte(&input) % 32;
  page now = {.count = 0};
  for (uint8_t i = 0; i < 12; i++) {
    insert(&now, i, i % 4 == 3 ? (uint8_t)(201 + fuzz_byte(&input) % 3) : (uint8_t)(i + 1));
  }
  rc_delivery delivery;
  (void)rc_delivery_init(&delivery, "/id", 3);
  uint8_t given[64 * USERS];
  size_t given_count = 0;
  bool repeats = true;
  bool keeps_places = true;
  bool gave_since = false; /* it was loaded */
  bool told = true;        /* no conflict, no short body: nobody was told that it failed */
  for (int bodies = 0; told && bodies < 64 && input.size > 0; bodies++) {
    const unsigned how = fuzz_byte(&input);
    const unsigned where = fuzz_byte(&input);
    const unsigned breaks_at = fuzz_byte(&input);
    const page before = now;
    change(&now, how % 4, where, (uint8_t)(where * 37 + 13));
    repeats = repeats && (bodies == 0 || memcmp(&before, &now, sizeof now) == 0);
    keeps_places = keeps_places && (bodies == 0 || how % 4 == 0);
    if ((how & 4u) != 0) {
      const bool less_last = (how & 8u) != 0 && gave_since;
      save_and_load(&delivery, most, less_last);
      given_count -= less_last;
      gave_since = false;
    } else {
      rc_delivery_begin_body(&delivery);
    }
    const size_t had = given_count;
    const bool whole = breaks_at >= now.count;
    bool skipped_unknown = false;
    unsigned at = 0;
    for (; told && at < now.count && (whole || at < breaks_at); at++) {
      const uint8_t user = now.users[at];
      const rc_verdict verdict = judge(&delivery, user);
      if (verdict == RC_GIVE) {
        CHECK(!has_id(user) || !contains(given, had, user));
        CHECK(!skipped_unknown);
        given[given_count++] = user;
        rc_delivery_gave(&delivery);
        gave_since = true;
      } else if (verdict == RC_SKIP) {
        skipped_unknown = skipped_unknown || (has_id(user) && !contains(given, had, user));
      } else {
        told = false;
      }
    }
    CHECK(delivery.given == given_count);
    if (told && whole) {
      if (rc_delivery_is_short(&delivery)) {
        told = false;
      } else {
        CHECK(!skipped_unknown);
        for (unsigned i = 0; i < now.count; i++) {
          CHECK(!has_id(now.users[i]) || contains(given, given_count, now.users[i]));
        }
      }
    }
    if (keeps_places && told && whole) {
      CHECK(given_count == now.count);
    }
    if (repeats) {
      CHECK(told && given_count <= now.count && memcmp(given, now.users, given_count) == 0);
      CHECK(!whole || given_count == now.count);
    }
    if (whole) {
      break;
    }
  }
  rc_delivery_clear(&delivery);
  return 0;
}
