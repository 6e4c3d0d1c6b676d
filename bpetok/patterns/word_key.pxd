# A word as 128 bits, as tables of words know it. Up to 15 bytes: the bytes, zeros, and the length
# in the top byte, so (0, 0) is no word. Longer: a hash, and LONG_WORD in the top byte.

from libc.stdint cimport uint8_t, uint64_t

from bpetok.base.simd cimport load64

cdef extern from "simd.h":
    uint64_t multiply_fold(uint64_t a, uint64_t b) noexcept nogil

cdef extern from *:
    # Constants of C: those of Cython are variables, which each use loads.
    """
    #define LONG_WORD ((uint64_t)0xFF << 56)
    /* Odd numbers without pattern: the fraction bits of pi. */
    #define PI_0 0x243F6A8885A308D3ULL
    #define PI_1 0x13198A2E03707345ULL
    /* What of the first and of the second 8 bytes belongs to a word of n bytes: a look-up, since a
     * branch on n would be guessed wrong too often. */
    #define BYTES_TO(n) ((n) == 0 ? 0 : 0xFFFFFFFFFFFFFFFFULL >> (64 - 8 * (n)) % 64)
    static const uint64_t low_bytes[] = {
        BYTES_TO(0), BYTES_TO(1), BYTES_TO(2), BYTES_TO(3), BYTES_TO(4), BYTES_TO(5), BYTES_TO(6),
        BYTES_TO(7), BYTES_TO(8), BYTES_TO(8), BYTES_TO(8), BYTES_TO(8), BYTES_TO(8), BYTES_TO(8),
        BYTES_TO(8), BYTES_TO(8),
    };
    static const uint64_t high_bytes[] = {
        0, 0, 0, 0, 0, 0, 0, 0, 0, BYTES_TO(1), BYTES_TO(2), BYTES_TO(3), BYTES_TO(4), BYTES_TO(5),
        BYTES_TO(6), BYTES_TO(7),
    };
    """
    const uint64_t LONG_WORD, PI_0, PI_1
    const uint64_t[] low_bytes
    const uint64_t[] high_bytes

cdef enum:
    PACKED_WORD = 15  # bytes of the longest word whose key is its bytes

cdef struct Key:
    uint64_t low
    uint64_t high


cdef inline Key pack_word(const uint8_t* word, Py_ssize_t n) noexcept nogil:
    # Requires: n <= PACKED_WORD, and 16 bytes can be read.
    cdef Key key
    key.low = load64(word) & low_bytes[n]
    key.high = load64(word + 8) & high_bytes[n] | <uint64_t>n << 56
    return key


cdef struct Seed:
    # What a hash depends on besides the word. Whoever knows it can make words that collide, so it
    # is random wherever their number could make that slow.
    uint64_t low
    uint64_t high


cdef inline Seed known_seed() noexcept nogil:
    # The same in every process, for an order of words that depends on the words alone.
    return Seed(PI_0, PI_1)


cdef inline uint64_t hash_key(uint64_t low, uint64_t high, Seed seed) noexcept nogil:
    return multiply_fold(low ^ seed.low, high ^ seed.high)


cdef inline uint64_t hash_bytes(const uint8_t* at, Py_ssize_t n, Seed seed) noexcept nogil:
    # Requires: n > PACKED_WORD. The last 16 bytes are read whole, overlapping those before.
    cdef uint64_t h = n
    cdef const uint8_t* last = at + n - 16
    while at < last:
        h = multiply_fold(load64(at) ^ h ^ seed.low, load64(at + 8) ^ seed.high)
        at += 16
    return multiply_fold(load64(last) ^ h ^ seed.low, load64(last + 8) ^ seed.high)
