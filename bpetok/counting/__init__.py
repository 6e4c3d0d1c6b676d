"""Chunks of text to words with counts.

In: chunks of whole words, from `sources`. Out: `Words`, the unique words with their counts, in flat
arrays; they can be saved, loaded, weighed and added up.
"""
