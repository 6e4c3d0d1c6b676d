/* What merging a short word needs and Cython cannot say. */
#ifndef BPETOK_MERGE_H
#define BPETOK_MERGE_H
#include <stdint.h>
#if defined(_MSC_VER)
#include <intrin.h>
#endif
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* Position of the highest set bit. Requires: x is not 0. */
static inline int highest_bit(uint32_t x) {
#if defined(_MSC_VER)
    unsigned long at;
    _BitScanReverse(&at, x);
    return (int)at;
#else
    return 31 - __builtin_clz(x);
#endif
}

/* Smallest of n values. Requires: n is a multiple of 8, and at least 8. */
static inline int32_t smallest(const int32_t *values, int n) {
#if defined(__SSE2__)
    __m128i a = _mm_loadu_si128((const __m128i *)values);
    __m128i b = _mm_loadu_si128((const __m128i *)(values + 4));
#define BPETOK_MIN(x, y)                                         \
    (less = _mm_cmplt_epi32(y, x),                               \
     _mm_or_si128(_mm_and_si128(less, y), _mm_andnot_si128(less, x)))
    __m128i less, next;
    for (int i = 8; i < n; i += 8) {
        next = _mm_loadu_si128((const __m128i *)(values + i));
        a = BPETOK_MIN(a, next);
        next = _mm_loadu_si128((const __m128i *)(values + i + 4));
        b = BPETOK_MIN(b, next);
    }
    a = BPETOK_MIN(a, b);
    next = _mm_shuffle_epi32(a, _MM_SHUFFLE(1, 0, 3, 2));
    a = BPETOK_MIN(a, next);
    next = _mm_shuffle_epi32(a, _MM_SHUFFLE(2, 3, 0, 1));
    a = BPETOK_MIN(a, next);
#undef BPETOK_MIN
    return _mm_cvtsi128_si32(a);
#else
    int32_t least = values[0];
    for (int i = 1; i < n; i++) {
        if (values[i] < least) least = values[i];
    }
    return least;
#endif
}

#endif
