"""Text to ids and back.

In: merges, a split pattern and special tokens. Out: ids for a text, text for ids, files of ids.
"""
