"""Many files at a time, without a Python object or the GIL for each.

A file that is not as simple as most are, and each file on Windows, is left to the caller.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t
from libc.string cimport strlen

from bpetok.base.built_from cimport check_sources

import numpy as np

check_sources(__name__)

cdef extern from *:
    """
    #if defined(_WIN32)
    static void file_state(const char* path, int64_t* state) {
        state[0] = state[1] = state[2] = -1;
    }
    static int read_file(const char* path, char* into, int64_t size) { return -1; }
    #else
    #include <fcntl.h>
    #include <stdint.h>
    #include <sys/stat.h>
    #include <unistd.h>
    #if defined(__APPLE__)
    #define BPETOK_MTIME st_mtimespec
    #else
    #define BPETOK_MTIME st_mtim
    #endif

    static void file_state(const char* path, int64_t* state) {
        struct stat found;
        state[0] = state[1] = state[2] = -1;
        if (stat(path, &found) || !S_ISREG(found.st_mode)) return;
        /* Where everybody may read, asking is left out: it takes nearly as long as stat. */
        if ((found.st_mode & 0444) != 0444 && access(path, R_OK)) return;
        state[0] = found.st_size;
        state[1] = (int64_t)found.st_dev & INT64_MAX;
        state[2] = (int64_t)found.st_ino & INT64_MAX;
    }

    static int read_file(const char* path, char* into, int64_t size) {
        struct stat before, after;
        char more;
        int whole, file = open(path, O_RDONLY | O_CLOEXEC);
        if (file < 0) return -1;
        whole = fstat(file, &before) == 0 && S_ISREG(before.st_mode) && before.st_size == size
            && read(file, into, size) == size
            && (size > 0 || read(file, &more, 1) == 0) /* a size of 0 may stand for any */
            && fstat(file, &after) == 0 && after.st_size == size
            && after.BPETOK_MTIME.tv_sec == before.BPETOK_MTIME.tv_sec
            && after.BPETOK_MTIME.tv_nsec == before.BPETOK_MTIME.tv_nsec;
        close(file);
        return whole ? 0 : -1;
    }
    #endif
    """
    void file_state(const char* path, int64_t* state) noexcept nogil
    int read_file(const char* path, char* into, int64_t size) noexcept nogil


def file_states(bytes names not None, Py_ssize_t n):
    """Return the sizes of files that may be read, and where they are; -1 where that can't be told.

    Parameters
    ----------
    names : bytes
        The paths, each with a NUL after it.
    n : int
        How many they are.

    Returns
    -------
    int64 array, shape (n, 3)
        Size, device and number on it: files that are the same, by whatever path, have the same.
    """
    states = np.empty((n, 3), np.int64)
    cdef int64_t[:, ::1] out = states
    cdef const char* name = names
    cdef Py_ssize_t i
    with nogil:
        for i in range(n):
            file_state(name, &out[i, 0])
            name += strlen(name) + 1
    return states


def read_files(bytes names not None, const int64_t[::1] sizes not None):
    """Return what files hold, one after another, as far as that goes.

    Parameters
    ----------
    names : bytes
        The paths, each with a NUL after it.
    sizes : int64 array, shape (n_files,)
        How many bytes each has.

    Returns
    -------
    data : bytes
    n_read : int
        The file after those has another size, changes meanwhile or can't be read.
    """
    cdef Py_ssize_t i, n_read = 0
    cdef int64_t size = 0
    for i in range(sizes.shape[0]):
        size += sizes[i]
    cdef bytes data = PyBytes_FromStringAndSize(NULL, size)
    cdef char* into = PyBytes_AS_STRING(data)
    cdef char* at = into
    cdef const char* name = names
    with nogil:
        while n_read < sizes.shape[0] and read_file(name, at, sizes[n_read]) == 0:
            at += sizes[n_read]
            name += strlen(name) + 1
            n_read += 1
    return (data if n_read == sizes.shape[0] else data[: at - into]), n_read
