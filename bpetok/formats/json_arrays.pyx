"""A long array in a JSON file: where it may be cut, to be read part by part. No NumPy."""

from libc.stdint cimport uint8_t

from bpetok.base.built_from cimport check_sources

check_sources(__name__)


def parts_of_array(const uint8_t[::1] data not None, Py_ssize_t start, Py_ssize_t size):
    """Return where the parts of an array begin, and the place after it: none if it does not end.

    Part i is ``data[places[i]:places[i + 1] - 1]``: some of the elements, with the commas between
    them. Whether it is JSON is not checked.

    Parameters
    ----------
    data : bytes
        JSON in UTF-8.
    start : int
        The place of a "[" that is no part of a string.
    size : int
        Bytes of a part; one is longer where an element is.

    Returns
    -------
    list of int
    """
    cdef Py_ssize_t i = start, n = data.shape[0], depth = 0, cut = start + size
    cdef uint8_t byte
    if start < 0 or start >= n:
        raise IndexError("start must be in data")
    cdef list places = [start + 1]
    while i < n:
        byte = data[i]
        i += 1
        if byte == b'"':
            while i < n and data[i] != b'"':
                i += 2 if data[i] == b"\\" else 1
            i += 1
        elif byte == b"[" or byte == b"{":
            depth += 1
        elif byte == b"]" or byte == b"}":
            depth -= 1
            if depth == 0:
                places.append(i)
                return places
        elif byte == b"," and depth == 1 and i > cut:
            places.append(i)
            cut = i + size
    return []
