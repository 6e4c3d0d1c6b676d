"""Text to ids: what a Tokenizer runs on. No Numba, no NumPy.

    text -> special tokens cut out -> words (`scan`) -> a cache of words -> ids (`word`)

Where words are lines, the cache is one of their parts (`late_merges`).

Several hundred words are taken at a time: first all are packed, hashed and their cache lines
prefetched, then each is looked up. The GIL is released for longer texts.
"""

cimport cython
from cpython.buffer cimport PyBUF_FORMAT
from cpython.list cimport PyList_New
from cpython.ref cimport PyObject, Py_XDECREF
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memset

from bpetok.base.built_from cimport check_sources
from bpetok.patterns.word_key cimport Key, LONG_WORD, PACKED_WORD, Seed, hash_key
from bpetok.encoding.long_word cimport Lists, lists_free, lists_init
from bpetok.patterns.dfa cimport CompiledPattern
from bpetok.patterns.scan cimport (
    SCAN_WORDS, Scanner, find_invalid_utf8, scan_begin, scan_compiled, scan_end, scan_given,
    scan_next
)
from bpetok.patterns.normalize cimport LocalNormalizer
from bpetok.patterns.special cimport SpecialTokens
from bpetok.base.simd cimport prefetch
from bpetok.base.utf8 cimport CHECKED, NO_TEXT, Text, UNCHECKED, see_text, utf8_room, write_utf8
from bpetok.encoding.word_cache cimport (
    CACHED_WORD, Cache, CacheEntry, CacheLine, INLINE_IDS, cache_free, cache_init, cache_put,
    cache_tidy, copy_cached, find_entry, key_of_long, key_of_short, line_of
)
from bpetok.encoding.whole_words cimport WholeWords
from bpetok.encoding.late_merges cimport (
    LateMerges, MOST_PARTS, Parts, late_free, late_init, merge_late, parts_begin, parts_next
)
from bpetok.encoding.merge_order cimport MergeOrder
from bpetok.encoding.ranks cimport N_BYTES
from bpetok.encoding.word cimport Vocabulary, encode_word, vocabulary_free, vocabulary_init

import os

from bpetok.base.checks import check_bool
from bpetok.base.limits import MAX_ENCODED
from bpetok.patterns.scan import PATTERN_NAMES
from bpetok.encoding.texts import replaced, special_token_error, to_utf8

check_sources(__name__)

cdef extern from *:
    """
    /* Fill a new list with numbers[ids[i]]: straight into its storage, no call for each. An int
     * that is not there yet is made; -1 if there is no memory for it. */
    static int fill_list(PyObject *list, PyObject **numbers, const int32_t *ids, Py_ssize_t n) {
        PyObject **to = ((PyListObject *)list)->ob_item;
        for (Py_ssize_t i = 0; i < n; i++) {
            PyObject *number = numbers[ids[i]];
            if (number == NULL) {
                number = numbers[ids[i]] = PyLong_FromLong(ids[i]);
                if (number == NULL) return -1;
            }
            Py_INCREF(number);
            to[i] = number;
        }
        return 0;
    }
    """
    int fill_list(list result, PyObject** numbers, const int32_t* ids, Py_ssize_t n) except -1

cdef enum:
    RELEASE_GIL_FROM = 4096  # bytes; about 20 us of work
    KEPT_ROOM = 1 << 16      # ids of output buffer that a workspace keeps between calls
    KEPT_UTF8 = 1 << 20      # bytes, likewise
    SHORT_TEXT = 256         # bytes; it is copied, which costs less than to take care at its end
    SPACE = 0x20
    PADDING = 64             # bytes after a copied text that may be read: the scanner does

cdef enum Failure:
    NO_MEMORY = -1
    TOO_LONG = -2            # a word is longer than LONGEST_WORD
    NOT_UTF8 = -3            # nor a str that has such a form
    DISALLOWED = -4          # a special token
    NOT_SPLIT = -5           # `split` or `normalizer` has raised an exception

cdef enum Sink:
    KEEP = 0                 # ids stay as int32
    NARROW = 1               # ids become uint16
    COUNT = 2                # ids are only counted

cdef Py_ssize_t LONGEST_WORD = MAX_ENCODED


# ---- what one call needs for itself -------------------------------------------------------------

@cython.final
cdef class Specials:
    """The special tokens of a call: those that get their ids, those that the text must not hold.

    Parameters
    ----------
    allowed : SpecialTokens
    ids : list of int
        The id of each of `allowed.tokens`.
    disallowed : SpecialTokens
    finder : AddedTokenFinder, optional
        Finds those of `allowed` where they are not matched as they are.
    inner : AddedTokenFinder, optional
        Finds more tokens, in what is normalized between those.
    inner_tokens : SpecialTokens, optional
        Those, as a text must hold them for any to be found.
    """

    cdef SpecialTokens allowed
    cdef SpecialTokens disallowed
    cdef object finder
    cdef object inner
    cdef SpecialTokens inner_tokens
    cdef int32_t* ids

    def __cinit__(
        self, SpecialTokens allowed not None, list ids not None, SpecialTokens disallowed not None,
        finder=None, inner=None, SpecialTokens inner_tokens=None,
    ):
        cdef Py_ssize_t i
        self.allowed, self.disallowed, self.finder = allowed, disallowed, finder
        self.inner, self.inner_tokens = inner, inner_tokens
        self.ids = <int32_t*> malloc((len(ids) + 1) * sizeof(int32_t))
        if self.ids == NULL:
            raise MemoryError
        for i in range(len(ids)):
            self.ids[i] = ids[i]

    def __dealloc__(self):
        free(self.ids)

    cdef int32_t id_of(self, const uint8_t* token, Py_ssize_t n) noexcept nogil:
        # Requires: token[:n] is one of `allowed`.
        return self.ids[self.allowed.number_of(token, n)]


@cython.final
cdef class IdArray:
    """Integers in memory of their own, as a buffer: uint16, uint32 or int64."""

    cdef void* data
    cdef Py_ssize_t shape[1]
    cdef Py_ssize_t strides[1]
    cdef char* format

    def __dealloc__(self):
        free(self.data)

    def __len__(self):
        return self.shape[0]

    def __getbuffer__(self, Py_buffer* buffer, int flags):
        buffer.buf = self.data
        buffer.obj = self
        buffer.len = self.shape[0] * self.strides[0]
        buffer.itemsize = self.strides[0]
        buffer.readonly = 0
        buffer.ndim = 1
        buffer.format = self.format if flags & PyBUF_FORMAT else NULL
        buffer.shape = self.shape
        buffer.strides = self.strides
        buffer.suboffsets = NULL
        buffer.internal = NULL


cdef IdArray take_memory(void** memory, Py_ssize_t n, Py_ssize_t itemsize, char* format):
    # An array of the n items at `memory`, cut to size. Small ones are copied, so that the buffer
    # can be used again.
    cdef IdArray array = IdArray.__new__(IdArray)
    cdef size_t size = max(1, n * itemsize)
    if n <= KEPT_ROOM:
        array.data = malloc(size)
        if array.data == NULL:
            raise MemoryError
        if n:
            memcpy(array.data, memory[0], n * itemsize)
    else:
        array.data = realloc(memory[0], size)
        if array.data == NULL:
            raise MemoryError
        memory[0] = NULL
    array.shape[0], array.strides[0], array.format = n, itemsize, format
    return array


@cython.final
cdef class Workspace:
    """A cache of words (50 MB at most), lists, room for ids.

    An encoder keeps those that are not in use; a call borrows one, so threads never share any.
    """

    cdef Cache cache
    cdef Lists lists
    cdef Sink sink
    cdef int32_t* ids        # of the words of this chunk; with KEEP, of all
    cdef Py_ssize_t n_ids
    cdef Py_ssize_t room
    cdef uint16_t* narrow
    cdef Py_ssize_t narrow_room
    cdef uint8_t* utf8       # of a str
    cdef Py_ssize_t utf8_room
    cdef uint8_t* spaced     # a piece of text with a space before it
    cdef Py_ssize_t spaced_room
    cdef uint8_t* kept       # of a word, the bytes that have an id
    cdef Py_ssize_t kept_room
    cdef Py_ssize_t n_done   # ids that went into the sink
    cdef const int64_t* ends  # of the words of a text, where a callable splits
    cdef object ends_owner     # and of the text that they are in
    cdef object error         # that it raised
    cdef Py_ssize_t wrong_at      # where a text has a special token that is disallowed, and
    cdef Py_ssize_t wrong_length  # how many bytes it has

    def __cinit__(self, Py_ssize_t n_ids):
        if cache_init(&self.cache) < 0 or lists_init(&self.lists, n_ids) < 0:
            raise MemoryError

    def __dealloc__(self):
        cache_free(&self.cache)
        lists_free(&self.lists)
        free(self.ids)
        free(self.narrow)
        free(self.utf8)
        free(self.kept)
        free(self.spaced)

    cdef int prefix_with_space(self, const uint8_t* text, Py_ssize_t n) noexcept nogil:
        # Fill `spaced` with a space and the text.
        if n + 1 + PADDING > self.spaced_room:
            free(self.spaced)
            self.spaced_room = 2 * n + 1 + PADDING
            self.spaced = <uint8_t*> malloc(self.spaced_room)
            if self.spaced == NULL:
                self.spaced_room = 0
                return NO_MEMORY
        self.spaced[0] = SPACE
        memcpy(self.spaced + 1, text, n)
        memset(self.spaced + 1 + n, 0, PADDING)
        return 0

    cdef int reserve(self, Py_ssize_t n) noexcept nogil:
        # Make room for n more ids.
        cdef int32_t* grown
        cdef Py_ssize_t room
        if self.n_ids + n <= self.room:
            return 0
        room = 2 * self.room + n + 1024
        grown = <int32_t*> realloc(self.ids, room * sizeof(int32_t))
        if grown == NULL:
            return NO_MEMORY
        self.ids, self.room = grown, room
        return 0

    cdef inline Py_ssize_t convert(self, Text* text) noexcept nogil:
        # Make UTF-8 of the text, or check that it is. Return how many bytes may be read after it.
        cdef Py_ssize_t room
        cdef uint8_t* end
        if text.form == NO_TEXT:
            return NOT_UTF8
        if text.form == UNCHECKED:
            if find_invalid_utf8(<const uint8_t*>text.data, text.n) >= 0:
                return NOT_UTF8
            text.form = CHECKED
        if text.form == CHECKED and text.n > SHORT_TEXT:
            return 0
        room = utf8_room(text) + PADDING
        if room > self.utf8_room:
            free(self.utf8)
            self.utf8, self.utf8_room = <uint8_t*> malloc(room), room
            if self.utf8 == NULL:
                self.utf8_room = 0
                return NO_MEMORY
        end = write_utf8(text, self.utf8)
        if end == NULL:
            return NOT_UTF8
        text.data, text.n, text.form = self.utf8, end - self.utf8, CHECKED
        return PADDING

    cdef int flush(self) noexcept nogil:
        # Give the ids to the sink.
        cdef Py_ssize_t i, room
        cdef uint16_t* grown
        cdef uint16_t* out
        if self.sink == KEEP:
            return 0
        if self.sink == NARROW:
            if self.n_done + self.n_ids > self.narrow_room:
                room = 2 * self.narrow_room + self.n_ids + 1024
                grown = <uint16_t*> realloc(self.narrow, room * sizeof(uint16_t))
                if grown == NULL:
                    return NO_MEMORY
                self.narrow, self.narrow_room = grown, room
            out = self.narrow + self.n_done
            for i in range(self.n_ids):
                out[i] = <uint16_t> self.ids[i]
        self.n_done += self.n_ids
        self.n_ids = 0
        return 0

    cdef void begin(self, Sink sink) noexcept nogil:
        self.sink, self.n_ids, self.n_done = sink, 0, 0

    cdef inline Py_ssize_t total(self) noexcept nogil:
        return self.n_done + self.n_ids

    cdef void trim(self) noexcept nogil:
        if self.room > KEPT_ROOM:
            free(self.ids)
            self.ids, self.room = NULL, 0
        if self.narrow_room > KEPT_ROOM:
            free(self.narrow)
            self.narrow, self.narrow_room = NULL, 0
        if self.utf8_room > KEPT_UTF8:
            free(self.utf8)
            self.utf8, self.utf8_room = NULL, 0
        if self.kept_room > KEPT_UTF8:
            free(self.kept)
            self.kept, self.kept_room = NULL, 0
        if self.spaced_room > KEPT_UTF8:
            free(self.spaced)
            self.spaced, self.spaced_room = NULL, 0


# ---- text to ids --------------------------------------------------------------------------------

@cython.final
cdef class Encoder:
    """Encode text with a list of merges. Threads may share it.

    Parameters
    ----------
    pairs : int32 buffer, length 2 * n_merges
        left, right of each merge, checked by `bpetok.encoding.vocab.check_merges`.
    n_ids : int
        One more than the largest id, special tokens included.
    token_ids : int32 buffer, length 256 + n_merges, optional
        The id that a user sees for each byte and each merge, if not 0, 1, 2... A byte with the id
        -1 has none: it is left out of each word before merging.
    pattern : int, CompiledPattern or None
        An int is the index of the split pattern in `scan.PATTERN_NAMES`.
    split : callable, optional
        With None: takes bytes and returns what is split of them, as bytes, and where each word ends
        in it, as a buffer of int64.
    whole_words : WholeWords, optional
        Words that have an id of their own, whatever their merges are.
    normalizer : Normalizer, optional
        What each piece of text between special tokens becomes before it is split.
    prefix_space : bool
        Whether such a piece gets a space before it after that, if it does not begin with one.
    unk_id : int
        What each byte without an id becomes; nothing merges with it. -1: such bytes are left out.
    fuse_unk : bool
        Whether several such bytes in a row become one `unk_id`.
    order : MergeOrder, optional
        Where merges are not taken in their order.
    """

    cdef Vocabulary vocabulary  # of all merges, or of the early ones, if others are in `late`
    cdef LateMerges late
    cdef bint has_parts      # the cache is one of parts of words, with their early ids
    cdef int32_t* token_ids  # NULL: as they are
    cdef int pattern         # -1: it is compiled, or `split` does it
    cdef CompiledPattern compiled
    cdef object split
    cdef WholeWords whole_words
    cdef object normalizer
    cdef bint prefix_space
    cdef LocalNormalizer local  # does the same as `normalizer`; None if it may change any text
    cdef bint lacks_bytes    # some have no id
    cdef int32_t unk_id
    cdef bint fuse_unk
    cdef MergeOrder order
    cdef Workspace spare     # not in use; None where there is none
    cdef list unused         # other ones
    # numbers[id] is id: int objects shared by all results. Each is made when it is first needed,
    # so those of frequent tokens lie side by side, which saves a short text a seventh of its time.
    cdef PyObject** numbers
    cdef Py_ssize_t n_numbers

    def __cinit__(
        self, const int32_t[::1] pairs not None, Py_ssize_t n_ids,
        const int32_t[::1] token_ids = None, pattern=0, split=None,
        WholeWords whole_words=None, normalizer=None, bint prefix_space=False,
        int32_t unk_id=-1, bint fuse_unk=False, MergeOrder order=None,
    ):
        cdef Py_ssize_t i, n_merges = pairs.shape[0] // 2
        cdef uint64_t seed = int.from_bytes(os.urandom(8), "little")
        cdef const int32_t* data = &pairs[0] if n_merges else NULL
        if (pattern is None) != (split is not None):
            raise TypeError("split must be given if pattern is None, and only then")
        self.pattern = -1
        if isinstance(pattern, CompiledPattern):
            self.compiled = pattern
        elif pattern is not None:
            if not 0 <= pattern < len(PATTERN_NAMES):
                raise IndexError(f"pattern must be in 0..{len(PATTERN_NAMES) - 1}, got {pattern}")
            self.pattern = pattern
        self.split = split
        self.whole_words = whole_words
        self.normalizer = normalizer
        self.prefix_space = prefix_space
        self.unk_id, self.fuse_unk = unk_id, fuse_unk
        self.local = None if normalizer is None else normalizer.local
        self.order = order
        # Late merges are those behind any one place of the list; that would not hold here.
        if order is None and late_init(&self.late, data, n_merges, seed) < 0:
            raise MemoryError
        if self.late.first:
            n_merges = self.late.first - N_BYTES
        if vocabulary_init(&self.vocabulary, data, n_merges, seed) < 0:
            raise MemoryError
        if token_ids is not None:
            self.token_ids = <int32_t*> malloc(token_ids.shape[0] * sizeof(int32_t))
            if self.token_ids == NULL:
                raise MemoryError
            memcpy(self.token_ids, &token_ids[0], token_ids.shape[0] * sizeof(int32_t))
            for i in range(N_BYTES):
                self.lacks_bytes |= token_ids[i] < 0
        self.has_parts = self.late.first > 0 and whole_words is None and not self.lacks_bytes
        self.numbers = <PyObject**> calloc(max(n_ids, 1), sizeof(PyObject*))
        if self.numbers == NULL:
            raise MemoryError
        self.n_numbers = n_ids
        self.unused = []

    def __dealloc__(self):
        cdef Py_ssize_t i
        vocabulary_free(&self.vocabulary)
        late_free(&self.late)
        free(self.token_ids)
        if self.numbers != NULL:
            for i in range(self.n_numbers):
                Py_XDECREF(self.numbers[i])
        free(self.numbers)

    @property
    def first_late(self):
        """The id of the first merge that is made after others, in `late_merges`; 0 without such."""
        return self.late.first

    # ---- without the GIL ----

    cdef Py_ssize_t append_merged(
        self, Workspace work, const uint8_t* word, Py_ssize_t n
    ) noexcept nogil:
        # Append the ids of a word by merging; return their number. Requires: room for n ids, 0 < n.
        cdef int32_t* ids = work.ids + work.n_ids
        if n > LONGEST_WORD:
            return TOO_LONG
        if self.whole_words is not None:
            ids[0] = self.whole_words.find(word, n)
            if ids[0] >= 0:
                work.n_ids += 1
                return 1
        if self.lacks_bytes and self.unk_id >= 0:
            return self.append_around_unknown(work, word, n)
        if self.lacks_bytes:
            n = self.keep_bytes(work, word, n)
            if n <= 0:
                return n
            word = work.kept
        return self.append_known(work, word, n)

    cdef Py_ssize_t append_known(
        self, Workspace work, const uint8_t* word, Py_ssize_t n
    ) noexcept nogil:
        # As `append_merged`, of bytes that all have an id.
        cdef int32_t* ids = work.ids + work.n_ids
        cdef Py_ssize_t i, n_ids
        if self.order is not None and self.order.concerns(word, n):
            n_ids = self.order.merge(&self.vocabulary.ranks, word, n, ids)
        else:
            n_ids = encode_word(&self.vocabulary, work.lists, word, n, ids)
        if n_ids > 0 and self.late.first:
            n_ids = merge_late(&self.late, work.lists, ids, n_ids)
        if n_ids < 0:
            return NO_MEMORY
        if self.token_ids != NULL:
            for i in range(n_ids):
                ids[i] = self.token_ids[ids[i]]
        work.n_ids += n_ids
        return n_ids

    cdef Py_ssize_t append_around_unknown(
        self, Workspace work, const uint8_t* word, Py_ssize_t n
    ) noexcept nogil:
        # As `append_merged`, where `unk_id` is between the parts that merge.
        cdef Py_ssize_t at = 0, end, n_before = work.n_ids
        while at < n:
            end = at
            while end < n and self.token_ids[word[end]] >= 0:
                end += 1
            if end > at and self.append_known(work, word + at, end - at) < 0:
                return NO_MEMORY
            if end < n:
                if not self.fuse_unk or end > at or at == 0:
                    work.ids[work.n_ids] = self.unk_id
                    work.n_ids += 1
                end += 1
            at = end
        return work.n_ids - n_before

    cdef Py_ssize_t keep_bytes(
        self, Workspace work, const uint8_t* word, Py_ssize_t n
    ) noexcept nogil:
        # Fill `work.kept` with those bytes of a word that have an id; return their number.
        cdef Py_ssize_t i, n_kept = 0
        if n > work.kept_room:
            free(work.kept)
            work.kept, work.kept_room = <uint8_t*> malloc(2 * n), 2 * n
            if work.kept == NULL:
                work.kept_room = 0
                return NO_MEMORY
        for i in range(n):
            work.kept[n_kept] = word[i]
            n_kept += self.token_ids[word[i]] >= 0
        return n_kept

    cdef Py_ssize_t append_uncached(
        self, Workspace work, const uint8_t* word, Py_ssize_t n
    ) noexcept nogil:
        # As `append_merged`, but of a part only its early ids.
        cdef Py_ssize_t n_ids
        if not self.has_parts:
            return self.append_merged(work, word, n)
        n_ids = encode_word(&self.vocabulary, work.lists, word, n, work.ids + work.n_ids)
        if n_ids < 0:
            return NO_MEMORY
        work.n_ids += n_ids
        return n_ids

    cdef int append_rare(
        self, Workspace work, const uint8_t* word, Py_ssize_t n, const Key* key, CacheLine* line
    ) noexcept nogil:
        # Append the ids of a word that is not in its line, or is long; keep them if they
        # are new.
        cdef CacheEntry* entry
        cdef int32_t* ids = work.ids + work.n_ids
        cdef Py_ssize_t n_ids
        if n > CACHED_WORD:
            return <int>min(0, self.append_uncached(work, word, n))
        entry = find_entry(&work.cache, line, key, word)
        if entry.n_ids:
            work.n_ids += copy_cached(&work.cache, entry, ids) - ids
            return 0
        n_ids = self.append_uncached(work, word, n)
        if n_ids <= 0:
            return <int>n_ids  # without ids, an entry would be an empty one
        cache_put(&work.cache, entry, key, word, ids, n_ids)
        return 0

    cdef int split_words(
        self, Workspace work, const uint8_t** text, Py_ssize_t* n
    ) noexcept with gil:
        # Let `split` say where the words of a text end, which becomes the one that it has split.
        # What it raises is kept in `work.error`.
        cdef const int64_t[::1] ends
        cdef bytes given
        try:
            given, ends = self.split(<bytes> text[0][:n[0]])
            if (abs(ends[ends.shape[0] - 1]) if ends.shape[0] else 0) != len(given):
                raise ValueError(f"words must end at {len(given)}, where the text does")
            work.ends_owner = given, ends
            work.ends = &ends[0] if ends.shape[0] else NULL
            text[0], n[0] = given, len(given)
        except BaseException as error:
            work.error = error
            return NOT_SPLIT
        return 0

    cdef int append_words(
        self, Workspace work, const uint8_t* text, Py_ssize_t n, const uint8_t* readable
    ) noexcept nogil:
        # Append the ids of a text without special tokens. Requires: valid UTF-8, and memory that
        # can be read up to `readable`.
        cdef Scanner scanner
        cdef int failure
        if self.prefix_space and n > 0 and text[0] != SPACE:
            if work.prefix_with_space(text, n) < 0:
                return NO_MEMORY
            text, n = work.spaced, n + 1
            readable = text + n + PADDING
        if self.pattern >= 0:
            scan_begin(&scanner, self.pattern, text, n, readable)
        elif self.compiled is not None:
            if scan_compiled(&scanner, self.compiled, text, n) < 0:
                return NO_MEMORY
        elif n == 0 or self.split_words(work, &text, &n) == 0:
            scan_given(&scanner, work.ends, text, n)
            readable = text + n
        else:
            return NOT_SPLIT
        failure = self.append_scanned(work, &scanner, readable)
        scan_end(&scanner)
        if scanner.is_compiled and scanner.chain.no_memory:
            return NO_MEMORY
        return failure

    cdef inline int append_scanned(
        self, Workspace work, Scanner* scanner, const uint8_t* readable
    ) noexcept nogil:
        cdef const uint8_t* bounds[SCAN_WORDS + 64 + 1]
        cdef Py_ssize_t k
        cdef int failure
        while True:
            k = scan_next(scanner, bounds)
            if k == 0:
                return 0
            if work.reserve(bounds[k] - bounds[0] + INLINE_IDS) < 0:
                return NO_MEMORY
            if self.has_parts:
                failure = self.append_in_parts(work, bounds, k, readable)
            else:
                failure = self.append_batch(work, bounds, k, readable, NULL)
            if failure < 0:
                return failure
            if work.flush() < 0:
                return NO_MEMORY

    cdef int append_in_parts(
        self, Workspace work, const uint8_t** bounds, Py_ssize_t k, const uint8_t* readable
    ) noexcept nogil:
        # As `append_batch`, by the parts of the words.
        cdef Parts parts
        cdef const uint8_t* part_bounds[MOST_PARTS + 1]
        cdef int32_t[MOST_PARTS + 1] marks
        cdef Py_ssize_t i, n, n_before = work.n_ids
        cdef int failure
        for i in range(k):
            if bounds[i + 1] - bounds[i] > LONGEST_WORD:
                return TOO_LONG
        parts_begin(&parts, bounds, k)
        while True:
            n = parts_next(&parts, &self.vocabulary, part_bounds, marks)
            if n == 0:
                break
            failure = self.append_batch(work, part_bounds, n, readable, marks)
            if failure < 0:
                return failure
        n = merge_late(&self.late, work.lists, work.ids + n_before, work.n_ids - n_before)
        if n < 0:
            return NO_MEMORY
        if self.token_ids != NULL:
            for i in range(n_before, n_before + n):
                work.ids[i] = self.token_ids[work.ids[i]]
        work.n_ids = n_before + n
        return 0

    cdef inline int append_batch(
        self, Workspace work, const uint8_t** bounds, Py_ssize_t k, const uint8_t* readable,
        const int32_t* marks
    ) noexcept nogil:
        # Append the ids of k words, with room for all and INLINE_IDS more; `marks`, if not NULL,
        # are added to the first id of each. One function, as its loops share their local variables:
        # handed to others by address they would be in memory.
        cdef Key keys[SCAN_WORDS]
        cdef CacheLine* lines[SCAN_WORDS]
        cdef Py_ssize_t i, length
        cdef int failure
        cdef const CacheEntry* entry
        cdef const Key* key
        cdef uint64_t hashed, differs, differs_too
        cdef Seed seed = work.cache.seed
        cdef int32_t* ids
        cdef int32_t* first
        cache_tidy(&work.cache)
        # All keys first: by the time that a line is looked at, it is in the processor's cache.
        for i in range(k):
            length = bounds[i + 1] - bounds[i]
            if length <= PACKED_WORD:
                keys[i] = key_of_short(bounds[i], length, readable)
                hashed = hash_key(keys[i].low, keys[i].high, seed)
            elif length <= CACHED_WORD:
                keys[i] = key_of_long(bounds[i], length, seed)
                hashed = keys[i].low
            else:
                keys[i].low, keys[i].high = 0, LONG_WORD
                hashed = 0
            lines[i] = line_of(&work.cache, hashed)
            prefetch(lines[i])
        ids = work.ids + work.n_ids
        for i in range(k):
            # Which of the two entries matches is random, so there must be no branch for each,
            # as `or` would make of it: the smaller of the two differences needs only one, for
            # whether any matches.
            first = ids
            entry = &lines[i].entries[0]
            key = &keys[i]
            differs = entry[0].key.low ^ key.low | entry[0].key.high ^ key.high
            differs_too = entry[1].key.low ^ key.low | entry[1].key.high ^ key.high
            if min(differs, differs_too) != 0:
                work.n_ids = ids - work.ids
                length = bounds[i + 1] - bounds[i]
                failure = self.append_rare(work, bounds[i], length, key, lines[i])
                if failure < 0:
                    return failure
                ids = work.ids + work.n_ids
            else:
                ids = copy_cached(&work.cache, entry + (differs != 0), ids)
            if marks != NULL:
                first[0] |= marks[i]
        work.n_ids = ids - work.ids
        return 0

    cdef int append_piece(
        self, Workspace work, Specials specials, const uint8_t* text, Py_ssize_t n,
        const uint8_t* readable
    ) noexcept nogil:
        # As `append_words`, of a text that is not normalized yet.
        cdef Py_ssize_t at = 0
        if self.normalizer is None:
            return self.append_words(work, text, n, readable)
        if self.local is not None:
            at = self.local.first_change(text, 0, n)
            if at == n:
                return self.append_normal(work, specials, text, n, readable)
        return self.append_normalized(work, specials, text, n, at)

    cdef int append_normalized(
        self, Workspace work, Specials specials, const uint8_t* text, Py_ssize_t n, Py_ssize_t at
    ) noexcept with gil:
        # The same if something changes, first at `at`.
        cdef const uint8_t* data
        cdef int failure
        try:
            if self.local is not None:
                normal = self.local.change_from(text, n, at)
            else:
                normal = <bytes?> self.normalizer(<bytes> text[:n])
        except BaseException as error:
            work.error = error
            return NOT_SPLIT
        data, n = normal, len(normal)
        with nogil:
            failure = self.append_normal(work, specials, data, n, data + n)
        return failure

    cdef int append_normal(
        self, Workspace work, Specials specials, const uint8_t* text, Py_ssize_t n,
        const uint8_t* readable
    ) noexcept nogil:
        # As `append_words`, of a text that is normalized and may hold `inner` tokens.
        cdef Py_ssize_t length = 0
        if specials.inner is None or specials.inner_tokens.find(text, text + n, &length) == NULL:
            return self.append_words(work, text, n, readable)
        return self.append_between(work, specials, specials.inner, text, n, readable)

    cdef int append_between(
        self, Workspace work, Specials specials, finder, const uint8_t* text, Py_ssize_t n,
        const uint8_t* readable
    ) noexcept with gil:
        # Append the tokens that `finder` finds (start, end and id of each, in order), and what lies
        # between them: after `specials.inner` that is words, after `specials.finder` it may hold
        # tokens that `inner` finds.
        cdef const int64_t[::1] found
        cdef bint is_inner = finder is specials.inner
        cdef Py_ssize_t i, n_found, end, at = 0
        cdef int failure = 0
        try:
            found = finder(<bytes> text[:n])
        except BaseException as error:
            work.error = error
            return NOT_SPLIT
        with nogil:
            n_found = found.shape[0] // 3
            for i in range(n_found + 1):
                end = found[3 * i] if i < n_found else n
                if end > at:
                    if is_inner:
                        failure = self.append_words(work, text + at, end - at, readable)
                    else:
                        failure = self.append_piece(work, specials, text + at, end - at, readable)
                if failure < 0 or i == n_found:
                    return failure
                failure = self.append_id(work, <int32_t> found[3 * i + 2])
                if failure < 0:
                    return failure
                at = found[3 * i + 1]

    cdef int append_text(
        self, Workspace work, Specials specials, Text text
    ) noexcept nogil:
        # Append the ids of a text.
        cdef Py_ssize_t length_before
        cdef const uint8_t* at
        cdef const uint8_t* end
        cdef const uint8_t* found
        cdef Py_ssize_t length = 0
        cdef Py_ssize_t padding = work.convert(&text)
        cdef int failure
        if padding < 0:
            return <int>padding
        at = <const uint8_t*>text.data
        end = at + text.n
        if specials.disallowed._n:
            found = specials.disallowed.find(at, end, &length)
            if found != NULL:
                work.wrong_at, work.wrong_length = found - at, length
                return DISALLOWED
        if specials.finder is not None:
            return self.append_between(
                work, specials, specials.finder, at, text.n, end + padding
            )
        while True:
            found = specials.allowed.find(at, end, &length)
            if found != at:
                length_before = (end if found == NULL else found) - at
                failure = self.append_piece(work, specials, at, length_before, end + padding)
                if failure < 0:
                    return failure
            if found == NULL:
                return 0
            if self.append_id(work, specials.id_of(found, length)) < 0:
                return NO_MEMORY
            at = found + length

    cdef int append_id(self, Workspace work, int32_t token_id) noexcept nogil:
        if work.reserve(1) < 0:
            return NO_MEMORY
        work.ids[work.n_ids] = token_id
        work.n_ids += 1
        return work.flush()

    # ---- with the GIL ----

    cdef inline Workspace borrow(self, Sink sink):
        # Under the GIL, so no two threads get the same. There are never more than threads that
        # encode at once.
        cdef Workspace work = self.spare
        if work is not None:
            self.spare = None
        elif self.unused:
            work = self.unused.pop()
        else:
            work = Workspace(max(self.vocabulary.ranks.n_ids, self.late.ranks.n_ids))
        work.begin(sink)
        return work

    cdef inline void give_back(self, Workspace work) noexcept:
        work.trim()
        if self.spare is None:
            self.spare = work
        else:
            self.unused.append(work)

    cdef inline Workspace encode_one(self, text, Specials specials, Sink sink, name="text"):
        # A workspace with the ids of a text.
        cdef Text seen
        cdef int failure
        cdef Workspace work
        see_text(text, &seen)
        work = self.borrow(sink)
        if seen.n < RELEASE_GIL_FROM:
            failure = self.append_text(work, specials, seen)
        else:
            with nogil:
                failure = self.append_text(work, specials, seen)
        if failure < 0:
            self.give_back(work)
            raise_failure(failure, text, name, work)
        return work

    cdef inline list as_list(self, const int32_t* ids, Py_ssize_t n):
        cdef list result = PyList_New(n)
        fill_list(result, self.numbers, ids, n)
        return result

    def encode(self, text, Specials specials not None, name="text"):
        """Return the list of the ids of a text: str, or bytes in UTF-8.

        Raises
        ------
        SpecialTokenError, ValueError, TypeError
            If the text holds a special token that is disallowed, is not UTF-8, or no text; the
            message calls it `name`.
        """
        return self.encode_list(text, specials, name)

    cdef inline list encode_list(self, text, Specials specials, name="text"):
        cdef Workspace work = self.encode_one(text, specials, KEEP, name)
        cdef list ids = self.as_list(work.ids, work.n_ids)
        self.give_back(work)
        return ids

    def count(self, text, Specials specials not None):
        """Return the number of ids of a text."""
        cdef Workspace work = self.encode_one(text, specials, COUNT)
        cdef Py_ssize_t n = work.total()
        self.give_back(work)
        return n

    def encode_word(self, bytes word not None):
        """Return the list of the ids of any bytes taken as one word, whatever the pattern."""
        cdef const uint8_t* data = word
        cdef Py_ssize_t n = len(word)
        cdef Workspace work = self.borrow(KEEP)
        cdef Py_ssize_t n_ids = NO_MEMORY
        if work.reserve(n) == 0:
            n_ids = self.append_merged(work, data, n) if n else 0
        if n_ids < 0:
            self.give_back(work)
            raise_failure(<int>n_ids, None, None, work)
        ids = self.as_list(work.ids, work.n_ids)
        self.give_back(work)
        return ids

    def encode_normal(self, bytes text not None):
        """Return the list of the ids of a text without special tokens that is normalized already.

        Requires: UTF-8.
        """
        cdef const uint8_t* data = text
        cdef Workspace work = self.borrow(KEEP)
        cdef int failure = self.append_words(work, data, len(text), data + len(text))
        if failure < 0:
            self.give_back(work)
            raise_failure(failure, None, None, work)
        ids = self.as_list(work.ids, work.n_ids)
        self.give_back(work)
        return ids

    def encode_words(
        self, const uint8_t[::1] data not None, const int64_t[::1] ends not None,
        int64_t[::1] lengths not None,
    ):
        """Return the ids of words that lie one after another as an IdArray of uint32.

        `ends`, where each word ends, ascends to len(data). Words are any bytes, not empty.
        `lengths`, of the same shape, is filled with the number of ids of each.
        """
        cdef Workspace work = self.borrow(KEEP)
        cdef Py_ssize_t i, end = 0, begin = 0, n_ids = 0
        cdef bint ascends = True
        if lengths.shape[0] != ends.shape[0]:
            self.give_back(work)
            raise IndexError("lengths must have a place for each word")
        with nogil:
            for i in range(ends.shape[0]):
                end = ends[i]  # read once: another thread may write to it
                ascends = begin < end <= data.shape[0]
                if not ascends:
                    break
                n_ids = NO_MEMORY
                if work.reserve(end - begin) == 0:
                    n_ids = self.append_merged(work, &data[begin], end - begin)
                if n_ids < 0:
                    break
                lengths[i] = n_ids
                begin = end
        if not ascends:
            self.give_back(work)
            raise IndexError(f"ends must ascend within data, got {end} after {begin}")
        if n_ids < 0:
            self.give_back(work)
            raise_failure(<int>n_ids, None, None, work)
        array = self.take_array(work)
        self.give_back(work)
        return array

    cdef IdArray take_array(self, Workspace work):
        if work.sink == NARROW:
            array = take_memory(<void**>&work.narrow, work.n_done, sizeof(uint16_t), b"H")
            if work.narrow == NULL:
                work.narrow_room = 0
        else:
            array = take_memory(<void**>&work.ids, work.n_ids, sizeof(int32_t), b"I")
            if work.ids == NULL:
                work.room = 0
        return array

    def encode_array(self, text, Specials specials not None, bint narrow):
        """Return the ids of a text as an IdArray: uint16 if `narrow`, otherwise uint32."""
        cdef Workspace work = self.encode_one(text, specials, NARROW if narrow else KEEP)
        array = self.take_array(work)
        self.give_back(work)
        return array

    cdef int append_many(
        self, Workspace work, Specials specials, list texts, Py_ssize_t start, IdArray counts
    ) except -1:
        # Append the ids of texts, which are those from `start` on of what was given, and which
        # nobody else can change. Requires: counts has room for each.
        cdef Py_ssize_t i = 0, before, n = counts.shape[0]
        cdef int64_t* out = <int64_t*> counts.data
        cdef Text* seen = <Text*> malloc((n + 1) * sizeof(Text))
        cdef int failure = 0
        if seen == NULL:
            raise MemoryError
        try:
            for i in range(n):
                see_text(texts[i], &seen[i])
            with nogil:
                for i in range(n):
                    before = work.total()
                    failure = self.append_text(work, specials, seen[i])
                    if failure < 0:
                        break
                    out[i] = work.total() - before
            if failure < 0:
                raise_failure(failure, texts[i], f"texts[{start + i}]", work)
        finally:
            free(seen)
        return 0

    def encode_many(
        self, list texts not None, Py_ssize_t start, Py_ssize_t end, Specials specials not None,
        bint narrow, bint as_lists,
    ):
        """Return the ids of texts[start:end]: a list of lists, or (ids, their number in each text).

        Raises
        ------
        SpecialTokenError, ValueError, TypeError
            As `encode`; the message says which text.
        """
        cdef Workspace work
        cdef IdArray counts = IdArray.__new__(IdArray)
        cdef list kept = texts[start:end]  # whatever others do to `texts` meanwhile
        cdef Py_ssize_t i, at = 0, n = len(kept)
        counts.data = calloc(n + 1, sizeof(int64_t))
        if counts.data == NULL:
            raise MemoryError
        counts.shape[0], counts.strides[0], counts.format = n, sizeof(int64_t), b"q"
        work = self.borrow(NARROW if narrow and not as_lists else KEEP)
        try:
            self.append_many(work, specials, kept, start, counts)
            if not as_lists:
                return self.take_array(work), counts
            lists = []
            for i in range(n):
                lists.append(self.as_list(work.ids + at, (<int64_t*> counts.data)[i]))
                at += (<int64_t*> counts.data)[i]
            return lists
        finally:
            self.give_back(work)


cdef Specials ORDINARY = Specials(SpecialTokens(()), [], SpecialTokens(()))


@cython.auto_pickle(False)  # what is written would be read unchecked
cdef class TextEncoder:
    """What `Codec` inherits for single texts, where a layer of Python would cost much of a call.

    It gives `_refusing`, which allows no special token and refuses them all, and `_build_encoder`.
    """

    # None until a text is encoded: to build it takes 9 ms for 32,000 merges, a fifth of a training
    # on 1 MB, and what is trained in one process is mostly used in another.
    cdef Encoder encoder
    cdef public Specials _refusing

    @property
    def _encoder(self):
        return self._get_encoder()

    def encode_ordinary(self, text, *, errors="strict"):
        """Return the ids of a text; special tokens in it are text like any other.

        Parameters
        ----------
        text : str or bytes
        errors : {"strict", "replace"}
            What to do with a lone surrogate, or with bytes that are not UTF-8: raise, or take
            U+FFFD, as tiktoken does.

        Raises
        ------
        ValueError
            If the str has a lone surrogate or the bytes are not UTF-8, and `errors` is "strict";
            the message says where.
        """
        if type(errors) is not str or errors != "strict":  # a column compares its elements
            text = replaced(text, errors)
        return self._get_encoder().encode_list(text, ORDINARY)

    def encode(
        self,
        text,
        *,
        allowed_special=(),
        disallowed_special="all",
        add_special_tokens=False,
        errors="strict",
    ):
        """Return the ids of a text, with special tokens where they are allowed.

        Special tokens are found leftmost first, the longest where several begin. As in tiktoken, a
        text that holds one that is not allowed is refused, so that text from outside can't smuggle
        one in.

        Parameters
        ----------
        text : str or bytes
        allowed_special : "all" or a set of str
            Special tokens that get their own id.
        disallowed_special : "all" or a set of str
            What the text must not hold; "all": the special tokens that are not allowed. Pass () to
            encode them as ordinary text.
        add_special_tokens : bool
            Whether to put those around the ids that the tokenizer.json which was read says (its
            post-processor), as transformers does unless told otherwise.
        errors : {"strict", "replace"}
            What to do with a lone surrogate, or with bytes that are not UTF-8: raise, or take
            U+FFFD, as tiktoken does.

        Raises
        ------
        SpecialTokenError
            If the text holds what is disallowed. It is a ValueError.
        ValueError
            If the text has a lone surrogate or is not UTF-8, and `errors` is "strict"; the message
            says where.
        """
        if type(errors) is not str or errors != "strict":  # a column compares its elements
            text = replaced(text, errors)
        if add_special_tokens is not False and check_bool("add_special_tokens", add_special_tokens):
            before, after = self._ids_around()
            ids = self.encode(
                text, allowed_special=allowed_special, disallowed_special=disallowed_special
            )
            return before + ids + after
        # By type first: a column compares its elements.
        if (
            type(allowed_special) is tuple and len(<tuple> allowed_special) == 0
            and type(disallowed_special) is str and disallowed_special == "all"
        ):
            return self._get_encoder().encode_list(text, self._refusing)
        specials = self._specials(allowed_special, disallowed_special)
        return self._get_encoder().encode_list(text, specials)

    cdef inline Encoder _get_encoder(self):
        if self.encoder is None or self._refusing is None:
            if self._refusing is None:
                raise AttributeError("the tokenizer was not made by its constructor")
            # Two threads may build it at once; they are equal, and the last one stays.
            self.encoder = self._build_encoder()
        return self.encoder


cdef int raise_failure(int failure, text, name, Workspace work) except -1:
    if failure == TOO_LONG:
        raise ValueError(
            f"text holds a word of more than {LONGEST_WORD} bytes, the most that can be encoded"
        )
    if failure == NO_MEMORY:
        raise MemoryError
    if failure == NOT_SPLIT:
        error, work.error = work.error, None
        raise error
    if failure == DISALLOWED:
        raise special_token_error(text, name, work.wrong_at, work.wrong_length)
    to_utf8(text, name)  # raises
