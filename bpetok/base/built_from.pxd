"""What each extension module says when it is imported: `built_from.py`."""

cdef extern from "built_from.h":
    """
    /* Written by setup.py, for each module another one. */
    """
    const char* BPETOK_BUILT_FROM


cdef inline bint check_sources(str module) except -1:
    # Raise ImportError if this module was built from other sources than those next to it.
    from bpetok.base.built_from import check_built_from

    check_built_from(module, BPETOK_BUILT_FROM.decode())
    return True
