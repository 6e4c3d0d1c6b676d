"""Words to merges.

In: the words' bytes, offsets and counts as flat arrays. Out: the pairs that are merged, in learning
order, with their counts.

What is learned, and why many merges at once are exact: `rule`, with `merge_filter`. The loop of
rounds: `learner`; by turns between languages: `parity`. One round: `pairs` selects, `kernels`
apply, `pairs` adds up. What they share, with one round in numbers: `arrays`; words are brought into
it by `packing` and `slots`. The kernels as machine code: `machine_code`, `loading`, `signatures`.
"""
