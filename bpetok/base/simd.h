/* The few things that Cython cannot say: 64 bytes classified at once, a wide multiply, prefetch.
 *
 * classify_ascii() reads 64 bytes and sets, for each class, bit i of a mask where byte i is of the
 * class. There is one for each instruction set; best_instruction_set() picks at run time, and the
 * plain 64-bit one runs everywhere. Bytes of multi-byte characters are only marked `high` and
 * (their first byte) `lead`: find_letters() tells some letters by that, the scanner looks all others
 * up. utf8_blocks() checks what is read.
 */
#ifndef BPETOK_SIMD_H
#define BPETOK_SIMD_H
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define BPETOK_X86 1
#include <immintrin.h>
#endif
#if defined(_MSC_VER)
#include <intrin.h>
#include <malloc.h>
#endif
#if defined(__linux__)
#include <sys/mman.h>
#endif

typedef struct {
    uint64_t letter, number, white, blank, apostrophe, high, lead;
    uint64_t newline;      /* \r \n: from level NEWLINE_MASKS on */
    uint64_t upper, slash; /* A-Z, /: at level CASE_MASKS */
    uint64_t inside, continuation, lower; /* the scanner's, which sets them */
} Block;

typedef void (*ClassifyFunction)(const uint8_t *bytes, Block *out);

enum { PLAIN64 = 0, AVX2 = 1, AVX512 = 2 };

/* Which masks are wanted: a pattern pays only for those that it needs. The function for each level is
 * made from one body, in which the level is a constant. */
enum { BASIC_MASKS = 0, NEWLINE_MASKS = 1, CASE_MASKS = 2 };
#define EACH_LEVEL(body, attributes)                                                     \
    attributes static void body##_basic(const uint8_t *bytes, Block *out) {              \
        body(bytes, out, BASIC_MASKS);                                                   \
    }                                                                                    \
    attributes static void body##_newline(const uint8_t *bytes, Block *out) {            \
        body(bytes, out, NEWLINE_MASKS);                                                 \
    }                                                                                    \
    attributes static void body##_case(const uint8_t *bytes, Block *out) {               \
        body(bytes, out, CASE_MASKS);                                                    \
    }
#define AT_LEVEL(body, level) \
    ((level) == CASE_MASKS ? body##_case : (level) == NEWLINE_MASKS ? body##_newline : body##_basic)

#if defined(_MSC_VER)
#define ALWAYS_INLINE static __forceinline
#else
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#endif
#define NO_ATTRIBUTES

/* ---- plain 64-bit ----------------------------------------------------------------------------- */

static inline uint64_t load64(const uint8_t *bytes) {
    uint64_t word;
    memcpy(&word, bytes, 8);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

static inline uint16_t load16(const uint8_t *bytes) {
    uint16_t two;
    memcpy(&two, bytes, 2);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    two = __builtin_bswap16(two);
#endif
    return two;
}

#define EACH_BYTE(value) (0x0101010101010101ULL * (uint64_t)(value))
/* Top bit of each byte x < 128 set where x >= low; where low <= x <= high. */
#define AT_LEAST(x, low) ((x) + EACH_BYTE(128 - (low)))
#define BETWEEN(x, low, high) (AT_LEAST(x, low) & ~AT_LEAST(x, (high) + 1))

/* Gather the top bits of 8 bytes into 8 bits: the multiply moves bit 8k to bit 56+k. */
static inline uint64_t top_bits(uint64_t x) {
    return (((x & EACH_BYTE(0x80)) >> 7) * 0x0102040810204080ULL) >> 56;
}

#define W4(a, b, c, d) (((uint32_t)(d) << 24) | ((uint32_t)(c) << 16) | ((uint32_t)(b) << 8) | (a))
#define W16(v) W4(v, v, v, v), W4(v, v, v, v), W4(v, v, v, v), W4(v, v, v, v)
/* 1 letter, 2 number, 4 white space, 8 newline, 16 upper case, 32 slash, 64 blank, 128 apostrophe, for
 * the 128 ASCII bytes. */
static const uint32_t ascii_flags[32] = {
    W4(0, 0, 0, 0), W4(0, 0, 0, 0), W4(0, 4, 12, 4), W4(4, 12, 0, 0), W16(0),
    W4(68, 0, 0, 0), W4(0, 0, 0, 128), W4(0, 0, 0, 0), W4(0, 0, 0, 32),
    W4(2, 2, 2, 2), W4(2, 2, 2, 2), W4(2, 2, 0, 0), W4(0, 0, 0, 0),
    W4(0, 17, 17, 17), W4(17, 17, 17, 17), W4(17, 17, 17, 17), W4(17, 17, 17, 17),
    W4(17, 17, 17, 17), W4(17, 17, 17, 17), W4(17, 17, 17, 0), W4(0, 0, 0, 0),
    W4(0, 1, 1, 1), W4(1, 1, 1, 1), W4(1, 1, 1, 1), W4(1, 1, 1, 1),
    W4(1, 1, 1, 1), W4(1, 1, 1, 1), W4(1, 1, 1, 0), W4(0, 0, 0, 0),
};

/* The flags of each byte, one in the lowest bit of each of 8 bytes; 0 outside ASCII. */
static uint64_t flag_lanes[256];

static void fill_flag_lanes(void) {
    for (int byte = 0; byte < 128; byte++)
        for (int k = 0; k < 8; k++)
            flag_lanes[byte] |= (uint64_t)(ascii_flags[byte / 4] >> (8 * (byte % 4) + k) & 1) << 8 * k;
}

/* Swap the bits of a that `mask << n` selects with those of b that `mask` does. */
#define SWAP_BITS(a, b, n, mask)                       \
    do {                                               \
        uint64_t change = ((a) >> (n) ^ (b)) & (mask); \
        (b) ^= change;                                 \
        (a) ^= change << (n);                          \
    } while (0)

/* 8 bytes to a word that has 8 bits of each class in a byte of its own; then 8 words, a matrix of
 * bytes, are transposed to one word a class. Comparing took 2.7 times as long. */
ALWAYS_INLINE void classify_plain64(const uint8_t *bytes, Block *out, int level) {
    uint64_t w[8], any = 0;
    for (int i = 0; i < 8; i++) {
        const uint8_t *at = bytes + 8 * i;
        w[i] = flag_lanes[at[0]] | flag_lanes[at[1]] << 1 | flag_lanes[at[2]] << 2
               | flag_lanes[at[3]] << 3 | flag_lanes[at[4]] << 4 | flag_lanes[at[5]] << 5
               | flag_lanes[at[6]] << 6 | flag_lanes[at[7]] << 7;
        any |= load64(at);
    }
    for (int i = 0; i < 4; i++) SWAP_BITS(w[i], w[i + 4], 32, 0x00000000FFFFFFFFULL);
    for (int i = 0; i < 8; i++)
        if ((i & 2) == 0) SWAP_BITS(w[i], w[i + 2], 16, 0x0000FFFF0000FFFFULL);
    for (int i = 0; i < 8; i += 2) SWAP_BITS(w[i], w[i + 1], 8, 0x00FF00FF00FF00FFULL);
    out->letter = w[0];
    out->number = w[1];
    out->white = w[2];
    out->blank = w[6];
    out->apostrophe = w[7];
    if (level >= NEWLINE_MASKS) out->newline = w[3];
    if (level >= CASE_MASKS) {
        out->upper = w[4];
        out->slash = w[5];
    }
    out->high = out->lead = 0;
    if (any & EACH_BYTE(0x80))
        for (int at = 0; at < 64; at += 8) {
            uint64_t word = load64(bytes + at);
            uint64_t high = word & EACH_BYTE(0x80);
            out->high |= top_bits(high) << at;
            out->lead |= top_bits(high & (word << 1)) << at;
        }
}
EACH_LEVEL(classify_plain64, NO_ATTRIBUTES)

/* Where characters of two and of three bytes begin whose first byte says that they are letters:
 * U+0100 to U+02BF and U+0400 to U+047F, with capitals; U+5000 to U+9FFF and U+B000 to U+CFFF. */
static void find_letters_plain64(const uint8_t *bytes, uint64_t *two, uint64_t *three) {
    *two = *three = 0;
    for (int at = 0; at < 64; at += 8) {
        uint64_t word = load64(bytes + at);
        uint64_t high = word & EACH_BYTE(0x80);
        uint64_t x = word ^ high;
        *two |= top_bits((BETWEEN(x, 0x44, 0x4A) | BETWEEN(x, 0x50, 0x51)) & high) << at;
        *three |= top_bits((BETWEEN(x, 0x65, 0x69) | BETWEEN(x, 0x6B, 0x6C)) & high) << at;
    }
}

/* ---- AVX2: 32 bytes at a time; AVX-512 (with VBMI): 64, classes from one table look-up -------- */

#ifdef BPETOK_X86
#define AVX2_UP_TO(x, most) _mm256_cmpeq_epi8(_mm256_min_epu8(x, _mm256_set1_epi8(most)), x)
#define AVX2_MASK(x) ((uint64_t)(uint32_t)_mm256_movemask_epi8(x))

#define AVX2_TARGET __attribute__((target("avx2")))

AVX2_TARGET ALWAYS_INLINE void classify_avx2(const uint8_t *bytes, Block *out, int level) {
    Block m = {0};
    for (int at = 0; at < 64; at += 32) {
        __m256i x = _mm256_loadu_si256((const __m256i *)(bytes + at));
        __m256i from_a = _mm256_sub_epi8(_mm256_or_si256(x, _mm256_set1_epi8(0x20)),
                                         _mm256_set1_epi8('a'));
        __m256i from_0 = _mm256_sub_epi8(x, _mm256_set1_epi8('0'));
        __m256i from_tab = _mm256_sub_epi8(x, _mm256_set1_epi8(9));
        __m256i blank = _mm256_cmpeq_epi8(x, _mm256_set1_epi8(' '));
        __m256i lead = _mm256_cmpeq_epi8(_mm256_max_epu8(x, _mm256_set1_epi8((char)0xC0)), x);
        m.letter |= AVX2_MASK(AVX2_UP_TO(from_a, 25)) << at;
        m.number |= AVX2_MASK(AVX2_UP_TO(from_0, 9)) << at;
        m.white |= AVX2_MASK(_mm256_or_si256(AVX2_UP_TO(from_tab, 4), blank)) << at;
        m.blank |= AVX2_MASK(blank) << at;
        m.apostrophe |= AVX2_MASK(_mm256_cmpeq_epi8(x, _mm256_set1_epi8('\''))) << at;
        m.high |= AVX2_MASK(x) << at;
        m.lead |= AVX2_MASK(lead) << at;
        if (level >= NEWLINE_MASKS) {
            __m256i newline = _mm256_or_si256(_mm256_cmpeq_epi8(x, _mm256_set1_epi8('\n')),
                                              _mm256_cmpeq_epi8(x, _mm256_set1_epi8('\r')));
            m.newline |= AVX2_MASK(newline) << at;
        }
        if (level >= CASE_MASKS) {
            __m256i from_upper_a = _mm256_sub_epi8(x, _mm256_set1_epi8('A'));
            m.upper |= AVX2_MASK(AVX2_UP_TO(from_upper_a, 25)) << at;
            m.slash |= AVX2_MASK(_mm256_cmpeq_epi8(x, _mm256_set1_epi8('/'))) << at;
        }
    }
    *out = m;
}
EACH_LEVEL(classify_avx2, AVX2_TARGET)

#define AVX2_FROM(x, first) _mm256_sub_epi8(x, _mm256_set1_epi8((char)(first)))

AVX2_TARGET static void find_letters_avx2(const uint8_t *bytes, uint64_t *two, uint64_t *three) {
    *two = *three = 0;
    for (int at = 0; at < 64; at += 32) {
        __m256i x = _mm256_loadu_si256((const __m256i *)(bytes + at));
        *two |= AVX2_MASK(_mm256_or_si256(AVX2_UP_TO(AVX2_FROM(x, 0xC4), 6),
                                          AVX2_UP_TO(AVX2_FROM(x, 0xD0), 1)))
                << at;
        *three |= AVX2_MASK(_mm256_or_si256(AVX2_UP_TO(AVX2_FROM(x, 0xE5), 4),
                                            AVX2_UP_TO(AVX2_FROM(x, 0xEB), 1)))
                  << at;
    }
}

/* Whether bytes are UTF-8, 32 at a time: Keiser and Lemire, "Validating UTF-8 in less than one
 * instruction per byte" (2021). Every error shows in two bytes on end, but for a character's third
 * and fourth byte; each of three tables, by half a byte, has a bit for each error that it allows. */
enum {
    TOO_SHORT = 1,      /* no continuation where one must be */
    TOO_LONG = 2,       /* one after ASCII */
    OVERLONG_3 = 4,
    TOO_LARGE = 8,      /* above U+10FFFF */
    SURROGATE = 16,
    OVERLONG_2 = 32,
    TOO_LARGE_1000 = 64, /* by a first byte of F5 on */
    OVERLONG_4 = 64,
    TWO_CONTINUATIONS = 128, /* an error unless the byte is a third or fourth one */
    ANY_LOW = TOO_SHORT | TOO_LONG | TWO_CONTINUATIONS,
    LARGE_LOW = ANY_LOW | TOO_LARGE | TOO_LARGE_1000
};
#define AVX2_TABLE(...) _mm256_setr_epi8(__VA_ARGS__, __VA_ARGS__)
#define AVX2_NIBBLES(x) _mm256_and_si256(x, _mm256_set1_epi8(15))
#define AVX2_HIGH_NIBBLES(x) AVX2_NIBBLES(_mm256_srli_epi16(x, 4))
/* The bytes that are n before those of x; `before` are the 32 bytes before x. */
#define AVX2_BEFORE(x, before, n) \
    _mm256_alignr_epi8(x, _mm256_permute2x128_si256(before, x, 0x21), 16 - (n))

AVX2_TARGET ALWAYS_INLINE __m256i utf8_errors_avx2(__m256i x, __m256i before) {
    const __m256i first_high = AVX2_TABLE(
        TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG,
        (char)TWO_CONTINUATIONS, (char)TWO_CONTINUATIONS, (char)TWO_CONTINUATIONS,
        (char)TWO_CONTINUATIONS, TOO_SHORT | OVERLONG_2, TOO_SHORT,
        TOO_SHORT | OVERLONG_3 | SURROGATE, TOO_SHORT | TOO_LARGE | TOO_LARGE_1000 | OVERLONG_4);
    const __m256i first_low = AVX2_TABLE(
        (char)(ANY_LOW | OVERLONG_3 | OVERLONG_2 | OVERLONG_4), (char)(ANY_LOW | OVERLONG_2),
        (char)ANY_LOW, (char)ANY_LOW, (char)(ANY_LOW | TOO_LARGE), (char)LARGE_LOW, (char)LARGE_LOW,
        (char)LARGE_LOW, (char)LARGE_LOW, (char)LARGE_LOW, (char)LARGE_LOW, (char)LARGE_LOW,
        (char)LARGE_LOW, (char)(LARGE_LOW | SURROGATE), (char)LARGE_LOW, (char)LARGE_LOW);
    const __m256i second_high = AVX2_TABLE(
        TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT,
        (char)(TOO_LONG | OVERLONG_2 | TWO_CONTINUATIONS | OVERLONG_3 | TOO_LARGE_1000),
        (char)(TOO_LONG | OVERLONG_2 | TWO_CONTINUATIONS | OVERLONG_3 | TOO_LARGE),
        (char)(TOO_LONG | OVERLONG_2 | TWO_CONTINUATIONS | SURROGATE | TOO_LARGE),
        (char)(TOO_LONG | OVERLONG_2 | TWO_CONTINUATIONS | SURROGATE | TOO_LARGE),
        TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT);
    __m256i first = AVX2_BEFORE(x, before, 1);
    __m256i pairs = _mm256_and_si256(
        _mm256_and_si256(_mm256_shuffle_epi8(first_high, AVX2_HIGH_NIBBLES(first)),
                         _mm256_shuffle_epi8(first_low, AVX2_NIBBLES(first))),
        _mm256_shuffle_epi8(second_high, AVX2_HIGH_NIBBLES(x)));
    /* The top bit is set where the byte must be a third or fourth one. */
    __m256i third = _mm256_subs_epu8(AVX2_BEFORE(x, before, 2), _mm256_set1_epi8(0xE0 - 0x80));
    __m256i fourth = _mm256_subs_epu8(AVX2_BEFORE(x, before, 3), _mm256_set1_epi8(0xF0 - 0x80));
    __m256i wanted = _mm256_and_si256(_mm256_or_si256(third, fourth), _mm256_set1_epi8((char)0x80));
    return _mm256_xor_si256(wanted, pairs);
}

/* The length of a beginning of bytes[:n], a multiple of 32, that is UTF-8 up to a character which
 * may go on after it; 0 if any of the bytes looked at is wrong. */
AVX2_TARGET static size_t utf8_blocks_avx2(const uint8_t *bytes, size_t n) {
    __m256i errors = _mm256_setzero_si256(), before = _mm256_setzero_si256();
    size_t at;
    for (at = 0; at + 32 <= n; at += 32) {
        __m256i x = _mm256_loadu_si256((const __m256i *)(bytes + at));
        if (_mm256_movemask_epi8(_mm256_or_si256(x, before)))
            errors = _mm256_or_si256(errors, utf8_errors_avx2(x, before));
        before = x;
    }
    return _mm256_testz_si256(errors, errors) ? at : 0;
}

#define AVX512_TARGET __attribute__((target("avx512f,avx512bw,avx512vbmi")))

AVX512_TARGET ALWAYS_INLINE void classify_avx512(const uint8_t *bytes, Block *out, int level) {
    __m512i x = _mm512_loadu_si512((const void *)bytes);
    __m512i flags = _mm512_permutex2var_epi8(_mm512_loadu_si512((const void *)ascii_flags), x,
                                             _mm512_loadu_si512((const void *)(ascii_flags + 16)));
    uint64_t high = _mm512_movepi8_mask(x);
    out->letter = _mm512_test_epi8_mask(flags, _mm512_set1_epi8(1)) & ~high;
    out->number = _mm512_test_epi8_mask(flags, _mm512_set1_epi8(2)) & ~high;
    out->white = _mm512_test_epi8_mask(flags, _mm512_set1_epi8(4)) & ~high;
    out->blank = _mm512_cmpeq_epi8_mask(x, _mm512_set1_epi8(' '));
    out->apostrophe = _mm512_cmpeq_epi8_mask(x, _mm512_set1_epi8('\''));
    out->high = high;
    out->lead = _mm512_cmpge_epu8_mask(x, _mm512_set1_epi8((char)0xC0));
    if (level >= NEWLINE_MASKS)
        out->newline = _mm512_test_epi8_mask(flags, _mm512_set1_epi8(8)) & ~high;
    if (level >= CASE_MASKS) {
        out->upper = _mm512_test_epi8_mask(flags, _mm512_set1_epi8(16)) & ~high;
        out->slash = _mm512_test_epi8_mask(flags, _mm512_set1_epi8(32)) & ~high;
    }
}
EACH_LEVEL(classify_avx512, AVX512_TARGET)
#endif

static int best_instruction_set(void) {
#ifdef BPETOK_X86
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512bw")) return AVX512;
    if (__builtin_cpu_supports("avx2")) return AVX2;
#endif
    return PLAIN64;
}

static ClassifyFunction classify_function(int instruction_set, int level) {
#ifdef BPETOK_X86
    if (instruction_set == AVX512) return AT_LEVEL(classify_avx512, level);
    if (instruction_set == AVX2) return AT_LEVEL(classify_avx2, level);
#endif
    (void)instruction_set;
    return AT_LEVEL(classify_plain64, level);
}

static void find_letters(int instruction_set, const uint8_t *bytes, uint64_t *two, uint64_t *three) {
#ifdef BPETOK_X86
    if (instruction_set >= AVX2) {
        find_letters_avx2(bytes, two, three);
        return;
    }
#endif
    (void)instruction_set;
    find_letters_plain64(bytes, two, three);
}

/* As utf8_blocks_avx2; 0 where there is no such instruction set. */
static size_t utf8_blocks(int instruction_set, const uint8_t *bytes, size_t n) {
#ifdef BPETOK_X86
    if (instruction_set >= AVX2) return utf8_blocks_avx2(bytes, n);
#endif
    (void)instruction_set;
    (void)bytes;
    (void)n;
    return 0;
}

/* Which of 16 bytes are a quote, a backslash or a control character: bit i is set for bytes[i]. The
 * lowest bit that is set is right, those above it may not be. */
static inline uint64_t not_plain(const uint8_t *bytes) {
#ifdef BPETOK_X86
    __m128i x = _mm_loadu_si128((const __m128i *)bytes);
    __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(0x1F)), x);
    __m128i quote = _mm_cmpeq_epi8(x, _mm_set1_epi8('"'));
    __m128i backslash = _mm_cmpeq_epi8(x, _mm_set1_epi8('\\'));
    return (uint64_t)_mm_movemask_epi8(_mm_or_si128(control, _mm_or_si128(quote, backslash)));
#else
    uint64_t found = 0;
    for (int at = 0; at < 16; at += 8) {
        uint64_t x = load64(bytes + at);
        uint64_t quote = x ^ EACH_BYTE('"'), backslash = x ^ EACH_BYTE('\\');
        found |= top_bits(((x - EACH_BYTE(0x20)) & ~x) | ((quote - EACH_BYTE(1)) & ~quote)
                          | ((backslash - EACH_BYTE(1)) & ~backslash))
                 << at;
    }
    return found;
#endif
}

/* ---- bits, hashing, memory ------------------------------------------------------------------- */

/* Position of the lowest set bit. Requires: x is not 0. */
static inline int lowest_bit(uint64_t x) {
#if defined(_MSC_VER)
    unsigned long at;
    _BitScanForward64(&at, x);
    return (int)at;
#else
    return __builtin_ctzll(x);
#endif
}

/* Both halves of a 128-bit product, xored: every bit of a and b reaches the top bits (wyhash). */
static inline uint64_t multiply_fold(uint64_t a, uint64_t b) {
#if defined(__SIZEOF_INT128__)
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
#else
    uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
    uint64_t middle = a1 * b0 + (a0 * b0 >> 32), middle2 = a0 * b1 + (uint32_t)middle;
    return (a * b) ^ (a1 * b1 + (middle >> 32) + (middle2 >> 32));
#endif
}

static inline void prefetch(const void *address) {
#if defined(_MSC_VER)
    _mm_prefetch((const char *)address, _MM_HINT_T0);
#else
    __builtin_prefetch(address);
#endif
}

/* Zeroed memory, aligned to a cache line; NULL if there is none. On Linux a large table is on huge
 * pages, which saves the misses of address translation that random access to it would cost. */
#define HUGE_PAGE ((size_t)1 << 21)

/* A table of a quarter of a huge page gets a whole one: the tables of a vocabulary of 32,000 tokens
 * are that large, and without it a word that is in no cache takes about a tenth longer. */
#define LARGE_TABLE (HUGE_PAGE / 4)

static inline size_t large_size(size_t size) {
    return size < HUGE_PAGE ? HUGE_PAGE : size;
}

static inline void *table_alloc(size_t size) {
#if defined(__linux__)
    char *memory, *aligned;
    if (size < LARGE_TABLE) {
        if (posix_memalign((void **)&memory, 64, size)) return NULL;
        return memset(memory, 0, size);
    }
    size = large_size(size);
    memory = (char *)mmap(NULL, size + HUGE_PAGE, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == (char *)MAP_FAILED) return NULL;
    aligned = (char *)(((uintptr_t)memory + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1));
    if (aligned != memory) munmap(memory, (size_t)(aligned - memory));
    munmap(aligned + size, (size_t)(memory + HUGE_PAGE - aligned));
    madvise(aligned, size, MADV_HUGEPAGE);
    return aligned;
#elif defined(_MSC_VER)
    void *memory = _aligned_malloc(size, 64);
    return memory ? memset(memory, 0, size) : NULL;
#else
    void *memory;
    if (posix_memalign(&memory, 64, size)) return NULL;
    return memset(memory, 0, size);
#endif
}

/* Zero a part of such memory, and give whole huge pages of it back until they are written again. */
static inline void table_zero(void *memory, size_t size) {
#if defined(__linux__)
    char *end = (char *)memory + size;
    char *first = (char *)(((uintptr_t)memory + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1));
    char *last = (char *)((uintptr_t)end & ~(uintptr_t)(HUGE_PAGE - 1));
    /* A large table begins at a huge page, and a small one has room for none. */
    if (first < last && madvise(first, (size_t)(last - first), MADV_DONTNEED) == 0) {
        memset(memory, 0, (size_t)(first - (char *)memory));
        memset(last, 0, (size_t)(end - last));
        return;
    }
#endif
    memset(memory, 0, size);
}

/* Requires: `size` is what table_alloc was called with, a multiple of 4096 where it is large. */
static inline void table_free(void *memory, size_t size) {
    if (memory == NULL) return;
#if defined(__linux__)
    if (size >= LARGE_TABLE) {
        munmap(memory, large_size(size));
        return;
    }
#endif
    (void)size;
#if defined(_MSC_VER)
    _aligned_free(memory);
#else
    free(memory);
#endif
}

#endif
