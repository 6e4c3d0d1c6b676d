"""Many texts to one buffer: a call in Python for each takes as long as counting its words."""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memmove

from bpetok.base.built_from cimport check_sources
from bpetok.base.utf8 cimport CHECKED, NO_TEXT, Text, UNCHECKED, see_text, utf8_room, write_utf8

check_sources(__name__)

cdef enum:
    MOST_ENDS = 1 << 16  # texts a buffer, which may all be empty


cdef class Gathering:
    """Takes texts from an iterator, some megabytes at a time.

    Parameters
    ----------
    texts : iterator
    most : int
        Bytes that all texts of a buffer have together, but for one that is longer alone.

    Attributes
    ----------
    n_taken : int
        How many texts have been taken from the iterator.
    has_ended : bool
        There are no more texts.
    """

    cdef object texts
    cdef Py_ssize_t most
    cdef uint8_t* data
    cdef Py_ssize_t n, room       # bytes written, and room for them
    cdef int64_t* ends            # where each text ends in `data`
    cdef Py_ssize_t n_texts
    cdef readonly Py_ssize_t n_taken
    cdef readonly bint has_ended

    def __cinit__(self, texts, Py_ssize_t most):
        self.texts, self.most = texts, most
        self.room = 1 << 12  # never none, so that there is a place for texts that are empty
        self.data = <uint8_t*> malloc(self.room)
        self.ends = <int64_t*> malloc((MOST_ENDS + 1) * sizeof(int64_t))
        if self.data == NULL or self.ends == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.data)
        free(self.ends)

    cdef int write(self, object text) except -1:
        # Append a text. Return 0, and leave the buffer as it is, where that is not done here.
        cdef Text seen
        cdef Py_ssize_t room
        cdef bint is_utf8
        cdef uint8_t* end
        cdef void* grown
        see_text(text, &seen)
        if seen.form == NO_TEXT or seen.n > self.most:
            return 0
        is_utf8 = seen.form == CHECKED or seen.form == UNCHECKED
        room = self.n + (seen.n if is_utf8 else utf8_room(&seen))
        if room > self.room:
            room = max(room, min(2 * room, self.most + self.most // 8))
            grown = realloc(self.data, room)
            if grown == NULL:
                raise MemoryError
            self.data, self.room = <uint8_t*> grown, room
        if is_utf8:
            seen.form = CHECKED  # what is counted is checked there
        end = write_utf8(&seen, self.data + self.n)
        if end == NULL:
            return 0
        self.n = end - self.data
        self.ends[self.n_texts] = self.n
        self.n_texts += 1
        return 1

    cdef bint is_full(self) noexcept:
        return self.n > self.most or self.n_texts >= MOST_ENDS

    def fill(self, first=None):
        """Take texts until there are enough, or none is left; an empty tuple then.

        Otherwise a tuple of what is no str and no bytes, is longer than a buffer, or has a lone
        surrogate: it has been taken from the iterator, but is not in the buffer. What the iterator
        raises is raised; what came before is in the buffer.

        Parameters
        ----------
        first : str or bytes, optional
            A text that comes before those of the iterator.
        """
        cdef object text
        if first is not None and not self.write(first):
            return (first,)
        while not self.is_full():
            try:
                text = next(self.texts)
            except StopIteration:
                self.has_ended = True
                return ()
            self.n_taken += 1
            if not self.write(text):
                return (text,)
        return ()

    def take(self):
        """Take the texts out of the buffer; return them, and where each ends as the bytes of int64.

        If they are too long together the last one stays, to be the first of the next buffer.
        """
        cdef Py_ssize_t n_texts = self.n_texts, n
        if self.n > self.most and n_texts > 1:
            n_texts -= 1
        n = self.ends[n_texts - 1] if n_texts else 0
        data = PyBytes_FromStringAndSize(<const char*> self.data, n)
        ends = PyBytes_FromStringAndSize(<const char*> self.ends, n_texts * sizeof(int64_t))
        memmove(self.data, self.data + n, self.n - n)
        self.n -= n
        self.n_texts -= n_texts
        if self.n_texts:
            self.ends[0] = self.n
        return data, ends
