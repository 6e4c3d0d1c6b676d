"""Files, tables and iterables to chunks of whole words.

pieces       a text -> pieces that are cut where a word ends -> chunks
urls         URLs -> files of other machines
compression  compressed bytes -> bytes
files        paths, globs, folders, URLs -> bytes
errors       what is raised when a file is damaged or changes
reading      the options: column, sample, limits
gathering    many texts of an iterator in one buffer
records      many short texts in one buffer -> chunks
long_lines   a line of JSON that is long, in parts -> its texts, one after another, and its rest
jsonl        lines of JSON -> chunks
tables       what is a table, of whatever library
arrow        Arrow files, tables, datasets -> chunks
memory_pool  where pyarrow takes memory from, and when it lets go of it
parquet      Parquet files -> chunks
corpus       what a user gives -> all of it
segments     a corpus in parts, which several threads read
sharing      parts -> what comes of their chunks, in order, from several threads
sampling     parts of a file chosen at random
"""
