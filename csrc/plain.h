/* plain.h - the hot loop of JSON: the search for what ends the plain text of a string. Pure.
 *
 * A plain byte is one from 0x20 to 0x7F other than '"' and '\'. As signed bytes, control bytes and
 * those of longer UTF-8 sequences are all below 0x20, so one comparison finds both. The functions
 * are defined here to be inlined. */
#ifndef RC_PLAIN_H
#define RC_PLAIN_H

#include <stddef.h>
#include <stdint.h>

#if !defined(RC_PLAIN_C) && defined(__SSE2__)
#define RC_PLAIN_BLOCK 16
#include <emmintrin.h>

/* The index of the first byte of the block that is not plain, RC_PLAIN_BLOCK for none. */
static inline unsigned rc_plain_block(const char *p) {
  const __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
  const __m128i marks =
      _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
  const __m128i plain = _mm_andnot_si128(marks, _mm_cmpgt_epi8(v, _mm_set1_epi8(0x1F)));
  /* The bits above the block's are not plain either: they end the count at the latest. */
  return (unsigned)__builtin_ctz(~(unsigned)_mm_movemask_epi8(plain));
}

#elif !defined(RC_PLAIN_C) && defined(__ARM_NEON) && defined(__aarch64__)
#define RC_PLAIN_BLOCK 16
#include <arm_neon.h>

static inline unsigned rc_plain_block(const char *p) {
  const int8x16_t v = vld1q_s8((const int8_t *)p);
  const uint8x16_t stop =
      vorrq_u8(vorrq_u8(vceqq_s8(v, vdupq_n_s8('"')), vceqq_s8(v, vdupq_n_s8('\\'))),
               vcltq_s8(v, vdupq_n_s8(0x20)));
  /* Narrowed to four bits a byte. */
  const uint64_t mask =
      vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(stop), 4)), 0);
  return mask != 0 ? (unsigned)__builtin_ctzll(mask) >> 2 : 16;
}

#else
#define RC_PLAIN_BLOCK 1

static inline unsigned rc_plain_block(const char *p) {
  const unsigned char c = (unsigned char)*p;
  return c != '"' && c != '\\' && c >= 0x20 && c < 0x80;
}

#endif

/* The first byte from p on that is not plain. It must exist, with RC_PLAIN_BLOCK readable bytes. */
static inline const char *rc_plain_end(const char *p) {
  unsigned n;
  while ((n = rc_plain_block(p)) == RC_PLAIN_BLOCK) {
    p += RC_PLAIN_BLOCK;
  }
  return p + n;
}

/* Returns n, and hides its value from the optimizer. */
static inline size_t rc_opaque(size_t n) {
#if defined(__GNUC__)
  __asm__("" : "+r"(n));
#endif
  return n;
}

/* The same as rc_plain_end, for strings whose lengths tend to repeat. *rest is how many plain bytes
 * followed the last whole block the last time. A right guess replaces a data dependency by a
 * predicted branch, so the CPU goes on to the next text without waiting. */
static inline const char *rc_plain_end_again(const char *p, uint8_t *rest) {
  const unsigned before = *rest;
  unsigned n;
  while ((n = rc_plain_block(p)) == RC_PLAIN_BLOCK) {
    p += RC_PLAIN_BLOCK;
  }
  if (n == before) {
    return p + rc_opaque(before);
  }
  *rest = (uint8_t)n;
  return p + n;
}

/* The same for bytes that end at `end`, which it returns if all are plain. */
static inline const char *rc_plain_end_before(const char *p, const char *end) {
  while (end - p >= RC_PLAIN_BLOCK) {
    const unsigned n = rc_plain_block(p);
    p += n;
    if (n < RC_PLAIN_BLOCK) {
      return p;
    }
  }
  while (p < end && *p != '"' && *p != '\\' && (signed char)*p >= 0x20) {
    p++;
  }
  return p;
}

#endif
