"""Ids back to bytes, and where each id is in a text. No NumPy."""

from cpython.exc cimport PyErr_Clear
from cpython.object cimport PyObject
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from bpetok.base.built_from cimport check_sources

from operator import index

from bpetok.base.checks import plain, shorten

check_sources(__name__)

cdef extern from "Python.h":
    int _PyBytes_Resize(PyObject** string, Py_ssize_t size) except -1
    void Py_XDECREF(PyObject* value)
    long long as_long "PyLong_AsLongLong"(object number)  # -1 and an error set if it is none
    PyObject* new_bytes "PyBytes_FromStringAndSize"(const char* data, Py_ssize_t size) except NULL
    char* bytes_data "PyBytes_AS_STRING"(PyObject* value)

cdef enum:
    INLINE_BYTES = 15  # of most tokens; copied 16 at a time, whatever their length
    NO_TOKEN = 255     # an id that is not used
    LONG_TOKEN = 254   # a token of more than INLINE_BYTES

cdef struct Token:
    uint8_t bytes[INLINE_BYTES]
    uint8_t length

ctypedef fused Integer:
    uint16_t
    uint32_t
    int32_t
    int64_t

cdef struct Output:
    # A bytes object that grows; nobody else has seen it yet.
    PyObject* result  # NULL when it could not grow
    char* data
    Py_ssize_t size
    Py_ssize_t room


cdef int open_output(Output* out, Py_ssize_t n_ids) except -1:
    out.size, out.room = 0, 6 * n_ids + 64
    out.result = new_bytes(NULL, out.room)
    out.data = bytes_data(out.result)
    return 0


cdef int grow_output(Output* out, Py_ssize_t n) except -1:
    out.room = out.room + (out.room >> 1) + n
    _PyBytes_Resize(&out.result, out.room)
    out.data = bytes_data(out.result)
    return 0


cdef bytes close_output(Output* out):
    _PyBytes_Resize(&out.result, out.size)
    return <bytes> out.result


def list_of_ids(ids, name="ids"):
    """Return ids as a list, which the caller can't change; whether they are any is not checked.

    Raises
    ------
    TypeError, ValueError
        If they are no iterable, or one without an order, or a damaged array; the message says
        `name`.
    """
    given = plain(name, ids)
    if hasattr(given, "tolist"):
        given = given.tolist()
    if isinstance(given, (set, frozenset)) or hasattr(given, "keys"):
        raise TypeError(f"{name} must be in order, got a {type(ids).__name__}")
    if isinstance(given, int) or not hasattr(given, "__iter__"):
        raise TypeError(f"{name} must be an iterable of int, got {shorten(ids)}")
    return list(given)


cdef class Decoder:
    """Ids to bytes. Threads may share it.

    Parameters
    ----------
    tokens : list of bytes or None
        The bytes of each id, from 0; None where an id is not used.
    """

    cdef tuple tokens  # which the garbage collector need not walk through
    cdef Token* table
    cdef Py_ssize_t n_tokens

    def __cinit__(self, list tokens not None):
        cdef Py_ssize_t i, n
        cdef const char* data
        self.tokens = tuple(tokens)
        self.n_tokens = len(tokens)
        self.table = <Token*> malloc((self.n_tokens + 1) * sizeof(Token))
        if self.table == NULL:
            raise MemoryError
        memset(self.table, 0, (self.n_tokens + 1) * sizeof(Token))
        for i in range(self.n_tokens):
            if tokens[i] is None:
                self.table[i].length = NO_TOKEN
                continue
            data, n = <bytes?> tokens[i], len(<bytes> tokens[i])
            self.table[i].length = <uint8_t> n if n <= INLINE_BYTES else LONG_TOKEN
            memcpy(self.table[i].bytes, data, min(n, INLINE_BYTES))

    def __dealloc__(self):
        free(self.table)

    def decode(self, ids, name="ids"):
        """Return the bytes of ids, one after another: an iterable of int, or an array of integers.

        Errors say `name`.

        Raises
        ------
        TypeError
            If one is not an integer.
        ValueError
            If one is not in the vocabulary.
        """
        if type(ids) is list:
            return self.decode_list(ids, name)
        dtype = getattr(getattr(ids, "dtype", None), "name", "")
        # A Series of pandas has other flags. Arrays in a file or a message may not be aligned.
        flags = getattr(ids, "flags", None)
        is_whole = getattr(flags, "c_contiguous", False) and getattr(flags, "aligned", False)
        if dtype and is_whole and ids.ndim == 1 and ids.dtype.isnative:
            if dtype == "uint16":
                return self.decode_array[uint16_t](ids, name)
            if dtype == "uint32":
                return self.decode_array[uint32_t](ids, name)
            if dtype == "int32":
                return self.decode_array[int32_t](ids, name)
            if dtype == "int64":
                return self.decode_array[int64_t](ids, name)
        return self.decode_list(list_of_ids(ids, name), name)

    cdef bytes decode_list(self, list numbers, name):
        cdef Py_ssize_t i = 0
        cdef long long token_id
        cdef Output out
        open_output(&out, len(numbers))
        try:
            while i < len(numbers):  # each time: the __index__ of a number may change the list
                number = numbers[i]
                token_id = as_long(number)
                if token_id < 0:
                    self.refuse_number(number, i, name)
                self.append(&out, token_id, i, name)
                i += 1
            return close_output(&out)
        finally:
            Py_XDECREF(out.result)

    cdef bytes decode_array(self, const Integer[::1] ids, name):
        cdef Py_ssize_t i
        cdef Output out
        open_output(&out, ids.shape[0])
        try:
            for i in range(ids.shape[0]):
                self.append(&out, <int64_t> ids[i], i, name)
            return close_output(&out)
        finally:
            Py_XDECREF(out.result)

    cdef inline int append(
        self, Output* out, int64_t token_id, Py_ssize_t i, object name
    ) except -1:
        cdef const Token* token
        cdef Py_ssize_t n
        if not 0 <= token_id < self.n_tokens:
            self.refuse(token_id, i, name)
        token = &self.table[token_id]
        if token.length <= INLINE_BYTES:
            if out.room - out.size < 16:
                grow_output(out, 16)
            memcpy(out.data + out.size, token, 16)
            out.size += token.length
            return 0
        if token.length == NO_TOKEN:
            self.refuse(token_id, i, name)
        long_token = <bytes> self.tokens[token_id]
        n = len(long_token)
        if out.room - out.size < n:
            grow_output(out, n)
        memcpy(out.data + out.size, <const char*> long_token, n)
        out.size += n
        return 0

    cdef int refuse_number(self, number, Py_ssize_t i, name) except -1:
        # What as_long gave no id for; it may have set an error.
        PyErr_Clear()
        try:
            self.refuse(index(number), i, name)
        except TypeError:
            raise TypeError(
                f"{name} must be integers, got {shorten(number)} at index {i}"
            ) from None

    cdef int refuse(self, token_id, Py_ssize_t i, name) except -1:
        if 0 <= token_id < self.n_tokens:
            raise ValueError(
                f"{name} must be in the vocabulary, which has no {token_id}, at index {i}"
            )
        raise ValueError(
            f"{name} must be from 0 to {self.n_tokens - 1}, got {shorten(token_id)} at index {i}"
        )

    def offsets(self, list ids not None, const uint8_t[::1] text not None):
        """Return (start, end) in characters of each id in the UTF-8 text that it was encoded from.

        A character that several ids share belongs to each of them.
        """
        cdef Py_ssize_t end, start, at = 0, n_begun = 0
        cdef list result = []
        for token_id in ids:
            end = at + len(<bytes> self.tokens[token_id])
            start = n_begun
            if at < end and text[at] & 0xC0 == 0x80:
                start -= 1  # it begins inside a character
            while at < end:
                n_begun += text[at] & 0xC0 != 0x80
                at += 1
            result.append((start, n_begun))
        return result
