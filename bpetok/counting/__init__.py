"""Chunks of text to words with counts.

In: chunks of whole words, from `sources`. Out: `Words`, the unique words with their counts, in flat
arrays; they can be saved, loaded, weighed and added up.

The way of a text: `count` (what a user calls) -> `chunks` (parts of the corpus -> threads) ->
`sharing` (each thread takes the next part) -> `counters` (a thread's scanner and table) ->
`word_table` (where words are counted) -> `arrays` (the tables as one) -> `words`. `options` are
checked before. An expression that is not compiled is counted in `processes`.

When there is little memory: `memory`, `spill`. When a run may be stopped: `saving`, `checkpoint`,
`ranges`. What becomes of words: `tables` (files), `weights` (sums of sources).
"""
