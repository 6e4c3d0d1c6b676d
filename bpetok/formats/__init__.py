"""The files and objects of other libraries, both ways: one module a format.

Each writer checks what it made before it writes: it is read with the library that it is for where
that is installed, else with the reader here, and must give equal ids (`checks`).
"""
