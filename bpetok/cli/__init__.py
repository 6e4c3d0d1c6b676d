"""The command `bpetok`.

In: arguments. Out: files, text on standard output, and one line on standard error for an error.
"""
