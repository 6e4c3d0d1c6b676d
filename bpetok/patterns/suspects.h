/* Finds the next character of a text that has one of some flags of normal.h: nearly none has. A
 * combining mark alone is passed over, since it changes nothing if none comes right before it.
 *
 * With AVX2, 64 bytes at a time: a first byte and the upper half of the second one say which of 16
 * (of two bytes), 1,024 or more characters it may be; in some scripts the lower half leaves one of
 * those, or 64. Only if one of these has a flag is the character looked up. So letters of most
 * scripts are passed over as fast as ASCII is.
 *
 * With AVX-512 a first and a second byte say, nearly always, which character of two bytes or which
 * 64 of three it may be, and all that are of the same 64 are looked up at once. Text in many
 * languages takes 0.09 ms a MB by NFC and 0.21 by NFD; with AVX2 0.19 and 0.41, counting it 5.
 */
#ifndef BPETOK_SUSPECTS_H
#define BPETOK_SUSPECTS_H
#include "normal.h"
#include "simd.h"

enum {
    NORMAL_MARK = 16, /* the flag of a combining mark */
    NORMAL_LEAVES = sizeof normal_flags / sizeof *normal_flags / 64,
    NORMAL_BLOCKS = sizeof normal_block / sizeof *normal_block,
    SETS = 16, /* a multiple of 8 */
    JOINED_PAIRS = sizeof joined_pairs / sizeof *joined_pairs
};

typedef struct Suspects {
    uint64_t masks[NORMAL_LEAVES]; /* which of 64 characters have one of the flags */
    uint64_t alone[NORMAL_LEAVES]; /* which have another one than NORMAL_MARK */
    /* For the lower half of a first byte, of C0..DF and of E0..FF: which upper halves of a second
     * byte, 8 to B, may belong to such a character; 4 bits for each of the two upper halves. */
    uint8_t quarters[2][16];
    /* For the lower half of a second byte, after a first byte that has_blocks knows, without and with
     * bit 1: the same bits, of the upper halves with which it may. */
    uint8_t blocks[2][16];
    /* For the lower six bits of a first and of a second byte: bits, one for each of SETS sets of
     * second bytes, of which both have one if such a character may have a flag. */
    uint8_t leads[SETS / 8][64], seconds[SETS / 8][64];
    int in_ascii;                  /* which of ASCII have: NONE, CAPITALS or OTHERS */
} Suspects;

enum { NONE, CAPITALS, OTHERS };

/* Whether a first byte is one for which Suspects.blocks tell more than quarters: of Cyrillic, Arabic
 * and what is before CJK. In others, such as Hebrew or Hangul, nearly all have a flag, or none. */
static inline int has_blocks(int lead) {
    return (lead & 0xF4) == 0xD0 || (lead & 0xF8) == 0xE0;
}

#ifdef BPETOK_X86
/* The one of SETS sets that a set is put into: that which differs least, an empty one before any
 * that is not the same. */
static inline int put_into(uint64_t *sets, uint64_t set) {
    int best = 0, least = 65;
    for (int i = 0; i < SETS; i++) {
        int n_other = sets[i] ? __builtin_popcountll(sets[i] ^ set) : 1;
        if (n_other < least) {
            best = i;
            least = n_other;
        }
    }
    sets[best] |= set;
    return best;
}

/* Fill Suspects.leads and .seconds. */
static void fill_leads(Suspects *suspects) {
    uint64_t of_lead[64] = {0}, sets[SETS] = {0};
    for (int block = 2; block < NORMAL_BLOCKS; block++) {
        uint64_t mask = suspects->masks[normal_block[block]];
        if (block < 0x800 >> 6)
            of_lead[block] = mask;
        else if (mask && block < 0x10000 >> 6)
            of_lead[0x20 | block >> 6] |= 1ULL << (block & 63);
        else if (mask)
            of_lead[0x30 | block >> 12] |= 1ULL << (block >> 6 & 63);
    }
    for (int lead = 0; lead < 64; lead++) {
        if (!of_lead[lead]) continue;
        int set = put_into(sets, of_lead[lead]);
        suspects->leads[set / 8][lead] = (uint8_t)(1 << set % 8);
    }
    for (int set = 0; set < SETS; set++)
        for (int i = 0; i < 64; i++)
            suspects->seconds[set / 8][i] |= (uint8_t)((sets[set] >> i & 1) << set % 8);
}
#endif

/* Tables for some flags, to be freed with free(); NULL without memory. */
static Suspects *suspects_new(int flags) {
    Suspects *suspects = (Suspects *)calloc(1, sizeof *suspects);
    if (suspects == NULL) return NULL;
    for (int i = 0; i < NORMAL_LEAVES * 64; i++) {
        if (normal_flags[i] & flags) suspects->masks[i / 64] |= 1ULL << i % 64;
        if (normal_flags[i] & flags & ~NORMAL_MARK) suspects->alone[i / 64] |= 1ULL << i % 64;
    }
#ifdef BPETOK_X86
    fill_leads(suspects);
#endif
    uint64_t first = suspects->masks[normal_block[0]], second = suspects->masks[normal_block[1]];
    suspects->in_ascii = !(first | second)                       ? NONE
                         : !first && second == 0x3FFFFFFULL << 1 ? CAPITALS
                                                                 : OTHERS;
    for (int block = 2; block < NORMAL_BLOCKS; block++) {
        uint64_t mask = suspects->masks[normal_block[block]];
        int lead, second;
        for (int quarter = 0; quarter < 4; quarter++) {
            if (block < 0x800 >> 6) {
                lead = 0xC0 | block;
                second = quarter;
                if (!(mask >> 16 * quarter & 0xFFFF)) continue;
            } else {
                lead = block < 0x10000 >> 6 ? 0xE0 | block >> 6 : 0xF0 | block >> 12;
                second = (block < 0x10000 >> 6 ? block >> 4 : block >> 10) & 3;
                if (!mask) break;
            }
            int bit = 1 << (second + 4 * (lead >> 4 & 1));
            suspects->quarters[lead >> 5 & 1][lead & 15] |= bit;
            if (!has_blocks(lead)) continue;
            if (lead >= 0xE0) suspects->blocks[lead >> 1 & 1][block & 15] |= bit;
            for (int i = 0; lead < 0xE0 && i < 16; i++)
                if (mask >> (16 * quarter + i) & 1) suspects->blocks[lead >> 1 & 1][i] |= bit;
        }
    }
    return suspects;
}

/* Whether something may change at the character at text[at]: it has one of the flags, and not only
 * that of a mark, unless it comes right after another that has one. `*after` is the end of the last
 * one that has. What is no character of Unicode has a flag. Requires: its `size` bytes can be read. */
static inline int is_suspect(const Suspects *suspects, const uint8_t *text, size_t at, int size,
                             size_t *after) {
    const uint8_t *bytes = text + at;
    uint32_t point = size == 1   ? bytes[0]
                     : size == 2 ? (bytes[0] & 31u) << 6 | (bytes[1] & 63)
                     : size == 3 ? (bytes[0] & 15u) << 12 | (bytes[1] & 63u) << 6 | (bytes[2] & 63)
                                 : (bytes[0] & 7u) << 18 | (bytes[1] & 63u) << 12
                                       | (bytes[2] & 63u) << 6 | (bytes[3] & 63);
    if (point >= NORMAL_BLOCKS * 64) return 1;
    int leaf = normal_block[point >> 6];
    if (!(suspects->masks[leaf] >> (point & 63) & 1)) return 0;
    int follows = at == *after;
    *after = at + size;
    return follows || (suspects->alone[leaf] >> (point & 63) & 1);
}

/* How many bytes a character with this first byte has; one of ASCII has 1. */
static inline int size_of_character(uint8_t lead) {
    return lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

/* Whether eight bytes are all of ASCII, and none a capital. */
static inline int has_small_only(uint64_t bytes) {
    uint64_t from_a = bytes + EACH_BYTE(0x80 - 'A'), after_z = bytes + EACH_BYTE(0x7F - 'Z');
    return !((bytes | (from_a & ~after_z)) & EACH_BYTE(0x80));
}

/* As next_suspect; `*after` is where the last character that has a flag ends, n if there is none. */
static size_t next_suspect_plain(const Suspects *suspects, const uint8_t *text, size_t at, size_t n,
                                 size_t *after) {
    while (at < n) {
        int size = size_of_character(text[at]);
        if (size == 1 && suspects->in_ascii == NONE) {
            while (at + 8 <= n && !(load64(text + at) & EACH_BYTE(0x80))) at += 8;
            while (at < n && text[at] < 0x80) at++;
            continue;
        }
        if (size == 1 && suspects->in_ascii == CAPITALS) {
            while (at + 8 <= n && has_small_only(load64(text + at))) at += 8;
            if (at == n) return n;
            size = size_of_character(text[at]);
        }
        if (at + size > n) return n; /* half a character */
        if (is_suspect(suspects, text, at, size, after)) return at;
        at += size;
    }
    return n;
}

#ifdef BPETOK_X86
#define AVX2_ROWS(bytes) _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(bytes)))

/* Suspects in registers. */
typedef struct Tables {
    __m256i c_d, e_f, blocks_0, blocks_1, before_a;
} Tables;

/* Which of the 32 bytes from bytes[0] on are capitals that have a flag. */
AVX2_TARGET static inline uint32_t capitals_of(const Tables *tables, const uint8_t *bytes) {
    __m256i first = _mm256_loadu_si256((const __m256i *)bytes);
    return (uint32_t)_mm256_movemask_epi8(
        _mm256_and_si256(_mm256_cmpgt_epi8(first, tables->before_a),
                         _mm256_cmpgt_epi8(_mm256_set1_epi8('Z' + 1), first)));
}

/* Which of them begin a character that may have a flag. */
AVX2_TARGET static inline uint32_t candidates_of(const Tables *tables, const uint8_t *bytes) {
    const __m256i half = AVX2_TABLE(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x0F, (char)0xF0, 0x0F,
                                    (char)0xF0);
    const __m256i quarter = AVX2_TABLE(0, 0, 0, 0, 0, 0, 0, 0, 0x11, 0x22, 0x44, (char)0x88, 0, 0, 0,
                                       0);
    __m256i first = _mm256_loadu_si256((const __m256i *)bytes);
    __m256i second = _mm256_loadu_si256((const __m256i *)(bytes + 1));
    __m256i low = AVX2_NIBBLES(first), lower = AVX2_NIBBLES(second);
    __m256i found = _mm256_blendv_epi8(_mm256_shuffle_epi8(tables->c_d, low),
                                       _mm256_shuffle_epi8(tables->e_f, low),
                                       _mm256_slli_epi16(first, 2)); /* by bit 5 */
    found = _mm256_and_si256(found, _mm256_shuffle_epi8(half, AVX2_HIGH_NIBBLES(first)));
    found = _mm256_and_si256(found, _mm256_shuffle_epi8(quarter, AVX2_HIGH_NIBBLES(second)));
    __m256i block = _mm256_blendv_epi8(_mm256_shuffle_epi8(tables->blocks_0, lower),
                                       _mm256_shuffle_epi8(tables->blocks_1, lower),
                                       _mm256_slli_epi16(first, 6)); /* by bit 1 */
    __m256i has_blocks = _mm256_or_si256(
        _mm256_cmpeq_epi8(_mm256_and_si256(first, _mm256_set1_epi8((char)0xF4)),
                          _mm256_set1_epi8((char)0xD0)),
        _mm256_cmpeq_epi8(_mm256_and_si256(first, _mm256_set1_epi8((char)0xF8)),
                          _mm256_set1_epi8((char)0xE0)));
    found = _mm256_blendv_epi8(found, _mm256_and_si256(found, block), has_blocks);
    return capitals_of(tables, bytes)
           | ~(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(found, _mm256_setzero_si256()));
}

/* As next_suspect_plain, but only up to the last bytes of a text, where `*at` is set to. Returns
 * whether one was found there. Requires: none of ASCII has a flag but capitals. */
AVX2_TARGET static int next_suspect_avx2(const Suspects *suspects, const uint8_t *text, size_t *at,
                                         size_t n, size_t *after) {
    const Tables tables = {
        AVX2_ROWS(suspects->quarters[0]), AVX2_ROWS(suspects->quarters[1]),
        AVX2_ROWS(suspects->blocks[0]), AVX2_ROWS(suspects->blocks[1]),
        /* 127 where capitals have none: no signed byte is larger. */
        _mm256_set1_epi8(suspects->in_ascii == CAPITALS ? 'A' - 1 : 127),
    };
    for (; *at + 67 <= n; *at += 64) { /* a character may go on for 3 bytes after the 64 */
        const uint8_t *bytes = text + *at;
        __m256i all = _mm256_or_si256(_mm256_loadu_si256((const __m256i *)bytes),
                                      _mm256_loadu_si256((const __m256i *)(bytes + 32)));
        /* Capitals alone: 12 MB of small letters take 0.45 ms so, and 2 with all that is asked. */
        int is_ascii = !_mm256_movemask_epi8(all);
        if (suspects->in_ascii == NONE && is_ascii) continue;
        uint64_t candidates = is_ascii ? capitals_of(&tables, bytes)
                                             | (uint64_t)capitals_of(&tables, bytes + 32) << 32
                                       : candidates_of(&tables, bytes)
                                             | (uint64_t)candidates_of(&tables, bytes + 32) << 32;
        for (; candidates; candidates &= candidates - 1) {
            size_t place = *at + lowest_bit(candidates);
            if (is_suspect(suspects, text, place, size_of_character(text[place]), after)) {
                *at = place;
                return 1;
            }
        }
    }
    return 0;
}

#define AVX512_LOAD(bytes) _mm512_loadu_si512((const void *)(bytes))

/* Which of the 64 bytes from bytes[0] on, which are `first`, begin a character that may have a flag;
 * none of ASCII does. */
AVX512_TARGET static inline uint64_t candidates_of_64(const Suspects *suspects,
                                                      const uint8_t *bytes, __m512i first) {
    __m512i second = AVX512_LOAD(bytes + 1), sets = _mm512_setzero_si512();
    for (int i = 0; i < SETS / 8; i++) {
        __m512i of_first = _mm512_permutexvar_epi8(first, AVX512_LOAD(suspects->leads[i]));
        __m512i of_second = _mm512_permutexvar_epi8(second, AVX512_LOAD(suspects->seconds[i]));
        sets = _mm512_or_si512(sets, _mm512_and_si512(of_first, of_second));
    }
    __mmask64 leads = _mm512_cmpge_epu8_mask(first, _mm512_set1_epi8((char)0xC0));
    return _mm512_mask_test_epi8_mask(leads, sets, sets);
}

/* What is found in 64 bytes: where characters begin that have a flag, and those that have another
 * one than NORMAL_MARK; where those with a flag end. */
typedef struct Found {
    uint64_t flagged, alone, ends;
} Found;

/* Add what is found at all of the candidates that are of the same 64 characters as the first one;
 * return the other candidates. */
AVX512_TARGET static inline uint64_t find_in_leaf(const Suspects *suspects, const uint8_t *bytes,
                                                  uint64_t candidates, Found *found) {
    const uint8_t *character = bytes + lowest_bit(candidates);
    int size = size_of_character(character[0]);
    uint32_t block = character[0] & 0x7F >> size;
    uint64_t same = candidates;
    for (int i = 0; i < size - 1; i++) {
        if (i) block = block << 6 | (character[i] & 63);
        same &= _mm512_cmpeq_epi8_mask(AVX512_LOAD(bytes + i),
                                       _mm512_set1_epi8((char)character[i]));
    }
    if (block >= (uint32_t)NORMAL_BLOCKS) {
        found->alone |= same;
        return candidates & ~same;
    }
    int leaf = normal_block[block];
    __m512i last = AVX512_LOAD(bytes + size - 1);
    __m512i masks = _mm512_movm_epi8(suspects->masks[leaf]);
    __m512i alone = _mm512_movm_epi8(suspects->alone[leaf]);
    uint64_t flagged = same & _mm512_movepi8_mask(_mm512_permutexvar_epi8(last, masks));
    found->flagged |= flagged;
    found->alone |= same & _mm512_movepi8_mask(_mm512_permutexvar_epi8(last, alone));
    found->ends |= flagged << size;
    return candidates & ~same;
}

/* As next_suspect_avx2. */
AVX512_TARGET static int next_suspect_avx512(const Suspects *suspects, const uint8_t *text,
                                             size_t *at, size_t n, size_t *after) {
    const __m512i n_capitals = _mm512_set1_epi8(suspects->in_ascii == CAPITALS ? 26 : 0);
    for (; *at + 67 <= n; *at += 64) { /* a character may go on for 3 bytes after the 64 */
        const uint8_t *bytes = text + *at;
        __m512i first = AVX512_LOAD(bytes);
        __m512i from_a = _mm512_sub_epi8(first, _mm512_set1_epi8('A'));
        uint64_t wanted = _mm512_cmplt_epu8_mask(from_a, n_capitals);
        if (_mm512_movepi8_mask(first)) {
            uint64_t candidates = candidates_of_64(suspects, bytes, first);
            if (candidates) {
                Found found = {0, 0, *after - *at < 64 ? 1ULL << (*after - *at) : 0};
                do candidates = find_in_leaf(suspects, bytes, candidates, &found);
                while (candidates);
                wanted |= found.alone | (found.flagged & found.ends);
                if (found.flagged) {
                    size_t last = *at + 63 - __builtin_clzll(found.flagged);
                    *after = last + size_of_character(text[last]);
                }
            }
        }
        if (wanted) {
            *at += lowest_bit(wanted);
            return 1;
        }
    }
    return 0;
}
#endif

/* Where the next character from the one at text[at] on begins at which something may change, n if
 * there is none. `follows` says whether the one before has one of the flags. Any bytes may be given;
 * what is found in those that are not UTF-8 means nothing. */
static size_t next_suspect(const Suspects *suspects, int instruction_set, const uint8_t *text,
                           size_t at, size_t n, int follows) {
    size_t after = follows ? at : n;
#ifdef BPETOK_X86
    if (instruction_set >= AVX2 && suspects->in_ascii != OTHERS) {
        if (instruction_set == AVX512 ? next_suspect_avx512(suspects, text, &at, n, &after)
                                      : next_suspect_avx2(suspects, text, &at, n, &after))
            return at;
        /* No character may begin in the middle of one. */
        while (at < n && (text[at] & 0xC0) == 0x80) at++;
    }
#endif
    (void)instruction_set;
    return next_suspect_plain(suspects, text, at, n, &after);
}
#endif
