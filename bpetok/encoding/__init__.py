"""Text to ids and back.

In: merges, a split pattern and special tokens. Out: ids for a text, text for ids, files of ids.

What a user calls: `codec`, with `texts`, `added_tokens`, `batches`, `streams`, `id_files`. Text to
ids: `encoder` looks each word up in `word_cache`, then in `whole_words`, otherwise merges it by
`ranks`: `word`, `long_word`, `run_word`, with the `trie` of tokens, or `merge_order` where another
order than that of the merges matters; superwords are made of the ids of words by `late_merges`. Ids
to text: `decoder`, `text_decoders`.
A vocabulary: `vocab`, `token_bytes`, `pruning`, `facts`. Of integers: `sequence_coder`.
"""
