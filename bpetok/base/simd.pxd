from libc.stdint cimport uint8_t, uint16_t, uint64_t

# What several modules use of simd.h; it is all inline. What only one uses is declared there.
cdef extern from "simd.h":
    int lowest_bit(uint64_t x) noexcept nogil
    uint16_t load16(const uint8_t* bytes) noexcept nogil
    uint64_t load64(const uint8_t* bytes) noexcept nogil
    void prefetch(const void* address) noexcept nogil
    void* table_alloc(size_t size) noexcept nogil
    void table_free(void* memory, size_t size) noexcept nogil
    void table_zero(void* memory, size_t size) noexcept nogil
