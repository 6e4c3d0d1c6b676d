"""Words to merges.

In: the words' bytes, offsets and counts as flat arrays. Out: the pairs that are merged, in learning
order, with their counts.
"""
