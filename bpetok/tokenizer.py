"""The Tokenizer: what training gives and what encodes, decodes, saves and loads."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal

from bpetok.base.checks import (
    check_bool,
    check_errors,
    check_integer,
    did_you_mean,
    is_one_of,
    resolve_threads,
    shorten,
)
from bpetok.base.extras import load_numpy
from bpetok.base.files import write_whole
from bpetok.base.limits import MAX_INT64, N_BYTES
from bpetok.base.records import NamedTuple
from bpetok.encoding.codec import Codec, Special
from bpetok.encoding.texts import to_utf8

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import tiktoken
    import tokenizers
    import transformers
    from typing_extensions import Self, Unpack

    from bpetok.base.progress import Progress
    from bpetok.counting.words import Words
    from bpetok.encoding.id_files import IdFiles
    from bpetok.formats.parts import Parts
    from bpetok.patterns.chains import Pattern
    from bpetok.showing.explanation import Explanation
    from bpetok.sources.corpus import Files
    from bpetok.sources.reading import Reading


class Tokenizer(Codec):
    """A byte-level BPE tokenizer, immutable. Threads and forked processes may share it.

    Ids 0 to 255 are the bytes, merge i makes the id 256 + i, and the special tokens follow in their
    order, unless `token_ids` and `special_tokens` say otherwise. Two tokenizers are equal if they
    have the same merges, pattern, special tokens, ids and normalizer.

    Parameters
    ----------
    merges : sequence of pairs of int or of bytes, or integer array, shape (n_merges, 2)
        The tokens that each merge joins, in learning order: 0 to 255 are the bytes, 256 + i is what
        merge i makes. Or their bytes, as `merges` gives them, where these say which token is meant.
    pattern : str
        What splits text into words: the name of a built-in pattern (`bpetok.patterns.names`), or a
        regular expression. Text that the expression does not match is a word, so that no text is
        lost. Expressions are compiled; those that can't be are far slower.
    special_tokens : iterable of str, or mapping of str to int
        All different, none empty. A mapping says what id each has.
    added_tokens : iterable of AddedToken, optional
        Flags of special tokens, as Hugging Face has them; those that are not given have none.
    merge_counts : sequence of int or integer array, shape (n_merges,), optional
        How often each pair occurred in the training text when it was merged.
    token_ids : sequence of int or integer array, shape (256 + n_merges,), optional
        The id of each byte and of what each merge makes, for a vocabulary that came from elsewhere
        with other ids. All that this class takes and gives are these ids, but for `merge_pairs`.
        A byte with the id -1 has none and is left out of texts, unless there is an `unk_id`.
    whole_words : mapping of bytes to int, optional
        Words that are one token with this id whatever their merges are, as files with
        "ignore_merges" have them.
    other_tokens : mapping of bytes to int, optional
        Tokens that no text gives. They have an id and are decoded.
    normalizer : str, mapping or list, optional
        What a text becomes before it is split: "NFC", "NFD", "NFKC", "NFKD", "Lowercase", "Strip",
        "StripAccents", a step as tokenizer.json has it, or several steps in a list. Unicode's forms
        are those of Hugging Face tokenizers, which knows Unicode 9.0. Special tokens are found
        before that.
    prefix_space : bool
        Whether to put a space before each text, and before what follows a special token, if it does
        not begin with one.
    unk_id : int, optional
        What each byte without an id becomes; nothing merges with it.
    fuse_unk : bool
        Whether several such bytes, one after another in a word, become one `unk_id`.
    merge_order : sequence of int or integer array, shape (n_merges,), optional
        The place of each merge in the order in which merges are taken, where that is not the order
        of `merges`: files of others list merges before those that make what they join. Here they
        come right after these. None, also afterwards, where it can't make a difference.
    training : TrainingFacts, optional
        What it was trained on.
    settings : mapping of str, optional
        What a file held that has no meaning here; `save_pretrained` writes it back.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not as said above; the message names it, the value and the bound.
    """

    __slots__ = ()

    @property
    def vocabulary_sha256(self) -> str:
        """A hash of all that ids depend on: merges, pattern, special tokens and ids."""
        import hashlib  # takes 2 ms

        return hashlib.sha256(self._to_json(with_training=False)).hexdigest()

    def _ids_around(self) -> tuple[list[int], list[int]]:
        from bpetok.formats.post_processors import ids_around

        return ids_around(self.settings.get("post_processor"))

    def _settings_with_ids(self, new_id: Callable[[int], int]) -> dict[str, Any]:
        from bpetok.formats.post_processors import with_ids

        return with_ids(self.settings, new_id)

    # ---- files ----

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the tokenizer to a JSON file, whole or not at all.

        The file is complete under another name before it gets its own, so nobody ever finds half of
        it.

        Raises
        ------
        OSError
            If the folder does not exist or can't be written to, or `path` is a folder.
        """
        write_whole(path, self._to_json())

    def _to_json(self, *, with_training: bool = True) -> bytes:
        from bpetok.formats import native

        counts = facts = None
        if with_training and self._counts is not None:
            counts = memoryview(self._counts).cast("q").tolist()
        if with_training and self._training is not None:
            facts = self._training.to_json()
        return native.to_json(
            pairs=memoryview(self._pairs).cast("i").tolist(),
            pattern=self._pattern,
            special_tokens=self._special_tokens,
            added_tokens=self.added_tokens,
            counts=counts,
            token_ids=None if self._token_ids is None else list(self._ids()),
            training=facts,
            whole_words=self._whole_words,
            other_tokens=self._other_tokens,
            normalizer=self.normalizer,
            prefix_space=self.prefix_space,
            unk_id=self.unk_id,
            fuse_unk=self.fuse_unk,
            merge_order=(
                None
                if self._merge_order is None
                else memoryview(self._merge_order).cast("i").tolist()
            ),
            settings=self.settings if with_training else {},
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Return the tokenizer that `save` has written to a file.

        Raises
        ------
        OSError
            If the file can't be read.
        ValueError
            If it is not a whole tokenizer; the message names the file and the place in it.
        """
        from bpetok.formats import native
        from bpetok.formats.files import naming_file

        parts = native.read(path)
        with naming_file(path, what=native.WHAT):
            return cls(**parts._asdict())

    # ---- files of ids, explanations ----

    def encode_files(
        self,
        files: Files,
        output: str | os.PathLike[str],
        *,
        eot: str | None = None,
        shard_size: int | None = None,
        allowed_special: Special = (),
        disallowed_special: Special = "all",
        n_threads: int | None = None,
        errors: str = "strict",
        progress: Progress = False,
        **reading: Unpack[Reading],
    ) -> IdFiles:
        """Encode files of any size into a file of ids, as training loops read them.

        The ids of all files, one after another, each an integer of `id_dtype`, little-endian:
        ``numpy.memmap(output, dtype="uint16", mode="r")`` reads them. Next to it is a small JSON
        file, with ".json" in the place of the output's suffix, with dtype, counts, and a hash of
        the vocabulary. Everything gets its name when it is whole. Files of an earlier run with this
        output are replaced, all that its JSON file lists: none of its shards stay. If the process
        is killed while files get their names, the JSON file lists the old and the new ones and has
        ``"complete": false``; the same call then replaces them all.

        Parameters
        ----------
        files : path, URL, folder, glob pattern or table, or iterable of them
            Text, JSON lines, Parquet, Arrow, datasets: as `count_words` takes them, unweighted.
        output : path
        eot : str, optional
            A special token whose id is written after each text: each record, and each plain text
            file that is not empty.
        shard_size : int, optional
            Ids a file. The files are then named after `output` with a number: train.bin becomes
            train_000000.bin, train_000001.bin...
        allowed_special, disallowed_special : "all" or a set of str
            As in `encode`.
        n_threads : int, optional
            As in `encode_batch`; the result does not depend on it.
        errors : {"strict", "replace"}
            What to do with bytes that are not UTF-8: raise, or encode U+FFFD as ``bytes.decode``
            gives it.
        progress : bool or callable
            True shows a bar; a callable is called with ("encode", bytes done, bytes in all).
        **reading
            Which column, how much of it: see `bpetok.Reading`.

        Raises
        ------
        OSError, ImportError
            If a file can't be read, or the output's folder not be written to, before anything is
            encoded; or if a file changes while it is read.
        ValueError
            If a file is damaged, has no such column, is not UTF-8 or holds a special token that is
            disallowed (the message has the file and the offset or the row), or an option is out of
            its range; or if a file has the name of a shard and no JSON file of an earlier run lists
            it. No file is written.
        """
        load_numpy()
        from bpetok.encoding import id_files
        from bpetok.sources.corpus import resolve_corpus
        from bpetok.sources.reading import check_reading
        from bpetok.sources.use import check_corpora

        if eot is not None and not is_one_of(eot, self._special_tokens):
            raise ValueError(
                f"eot must be a special token, one of {shorten(list(self._special_tokens))}, "
                f"got {shorten(eot)}"
                + did_you_mean(eot if isinstance(eot, str) else "", self._special_tokens)
            )
        if shard_size is not None:
            shard_size = check_integer("shard_size", shard_size, 1, MAX_INT64)
        allowed, disallowed = self._special_names(allowed_special, disallowed_special)
        job = id_files.EncodeJob(
            codec=self,
            vocabulary_sha256=self.vocabulary_sha256,
            specials=self._build_specials(allowed, disallowed),
            boundaries={*allowed, *disallowed},
            takes_space=self._finder(allowed) is not None,
            eot_id=None if eot is None else self._special_tokens[eot],
            n_threads=resolve_threads(n_threads),
            errors=check_errors(errors),
            reading=check_reading(reading),
        )
        corpus = resolve_corpus(files, job.reading)
        check_corpora([corpus], job.reading)
        return id_files.encode_files(job, corpus, output, shard_size, progress)

    def explain(self, text: str | bytes, *, allowed_special: Special = "all") -> Explanation:
        """Return how a text becomes tokens: its words, and in each the merges in their order.

        For texts that people read: every step is kept.

        Parameters
        ----------
        text : str or bytes
            bytes must be UTF-8.
        allowed_special : "all" or a set of str
            Special tokens that get their own id; others are text like any other.

        Raises
        ------
        TypeError, ValueError
            If the text is neither str nor bytes, has a lone surrogate or is not UTF-8.
        """
        from bpetok.showing.explanation import explain

        allowed, _ = self._special_names(allowed_special, ())
        return explain(self, to_utf8(text), set(allowed))

    # ---- fewer tokens ----

    def prune(
        self,
        texts: Words | Iterable[str | bytes],
        vocab_size: int,
        *,
        keep_ids: bool = False,
        n_threads: int | None = None,
    ) -> Pruned:
        """Return the tokenizer without the tokens that a text needs least.

        Only leaves go, tokens that no merge uses: the rarest on the text first, ties to the largest
        id. The places of a token that has gone count for its two parts. So all other tokens occur
        where they did. With `train(..., initial=tok.prune(texts, 950).tokenizer)` tokens that
        another text needs take their place.

        Parameters
        ----------
        texts : Words, or iterable of str or bytes
            The text, or its words as they were counted with the same pattern.
        vocab_size : int
            How many ids are left: at least those of bytes and special tokens, and of tokens that
            no merges make.
        keep_ids : bool
            Leave all ids as they are, so that those of tokens which have gone are not used; by
            default larger ids move down.
        n_threads : int, optional
            For counting, as in `train`.

        Returns
        -------
        tokenizer : Tokenizer
            `training` is None.
        new_ids : int32 array, shape (vocab_size of the old one,)
            The new id of each old one, -1 if its token has gone: for the rows of a model.

        Raises
        ------
        TypeError, ValueError
            If `vocab_size` is out of its range, or `texts` are no texts or words of another
            pattern.
        """
        from bpetok.counting.count import count_words_from_iterator
        from bpetok.counting.words import Words
        from bpetok.encoding.pruning import count_tokens, pruning_order

        check_bool("keep_ids", keep_ids)
        n_merges = len(self._token_bytes) - N_BYTES
        others = (self._special_tokens, self._whole_words, self._other_tokens)
        n_ids = len({*self._ids(), *chain(*(tokens.values() for tokens in others))} - {-1})
        n_gone = n_ids - check_integer("vocab_size", vocab_size, n_ids - n_merges, n_ids)
        if not isinstance(texts, Words):
            texts = count_words_from_iterator(
                texts,
                pattern=self._pattern,
                normalizer=self.normalizer,
                prefix_space=self._prefix_space,
                special_tokens=tuple(self._special_tokens),
                unmatched="word",
                n_threads=n_threads,
            )
        for name in ("pattern", "normalizer", "prefix_space"):
            ours, theirs = getattr(self, name), getattr(texts, name)
            if ours != theirs:
                raise ValueError(
                    f"texts must be words of the {name} {shorten(ours)}, got words of "
                    f"{shorten(theirs)}: count them with the tokenizer's {name}"
                )
        pairs = [(left, right) for left, right in self.merge_pairs.tolist()]
        gone = {*pruning_order(pairs, count_tokens(self, texts).tolist())[:n_gone]}
        kept = [merge for merge in range(n_merges) if merge not in gone]
        pruned = self._keeping(kept, packed=not keep_ids)
        return Pruned(pruned, _new_ids(self, pruned, kept))

    def _repr_html_(self) -> str:
        from bpetok.base.display import N_ROWS, show_bytes, table_html

        merges, counts = self.merges, self.merge_counts
        n, half = len(merges), N_ROWS // 2
        ranks = list(range(n)) if n <= N_ROWS else [*range(half), *range(n - half, n)]
        rows = [
            (
                f"{rank:,}",
                *map(show_bytes, merges[rank]),
                "" if counts is None else f"{counts[rank]:,}",
            )
            for rank in ranks
        ]
        if len(ranks) < n:
            rows.insert(half, ("…",) * 4)
        facts = self.training
        trained = (
            "" if facts is None else f"; {facts.bytes_per_token:.2f} bytes a token in training"
        )
        return table_html(repr(self) + trained, ("rank", "left", "right", "count"), rows)

    # ---- Hugging Face ----

    def save_pretrained(
        self,
        folder: str | os.PathLike[str],
        *,
        bos_token: str | None = None,
        eos_token: str | None = None,
        pad_token: str | None = None,
        unk_token: str | None = None,
        chat_template: str | None = None,
        model_max_length: int | None = None,
        portable: bool = False,
    ) -> None:
        """Write a folder that `transformers.AutoTokenizer.from_pretrained` loads.

        The ids of 3,000 awkward texts are compared before anything is written: with those
        of tokenizers, and of transformers where the folder holds a model's config.json. (For a
        model of type qwen2, `AutoTokenizer` of transformers 5 replaces the pre-tokenizer, whatever
        the files say; ``PreTrainedTokenizerFast.from_pretrained`` does not.)

        Parameters
        ----------
        folder : path
            Made if it is not there. The files of a tokenizer in it are replaced.
        bos_token, eos_token, pad_token, unk_token : str, optional
            The special tokens that have these roles.
        chat_template : str, optional
            A Jinja template.
        model_max_length : int, optional
            What transformers warns of when a text has more ids.
        portable : bool, default False
            Spell the pattern so that all engines take it alike, JavaScript's, too: for
            transformers.js 2 and 3, and for files that split by ``ByteLevel`` itself also 4.
            tokenizers 1.0, which knows the published spellings only, does not read the folder then.

        Raises
        ------
        ValueError
            If a role's token is not in the vocabulary, the file can't say what this tokenizer does,
            or the folder holds more of another tokenizer, which transformers would read with this
            one's; the message has the reason.
        OSError
            If the folder can't be written to.
        """
        from bpetok.formats import huggingface

        roles = {
            "bos_token": bos_token,
            "eos_token": eos_token,
            "pad_token": pad_token,
            "unk_token": unk_token,
        }
        check_bool("portable", portable)
        huggingface.save_pretrained(
            self, folder, roles, chat_template, model_max_length, portable=portable
        )

    def to_tokenizers(self) -> tokenizers.Tokenizer:
        """Return a `tokenizers.Tokenizer`; ValueError as in `save_pretrained`."""
        from bpetok.formats import huggingface

        return huggingface.to_tokenizers(self)

    def to_transformers(
        self,
        *,
        bos_token: str | None = None,
        eos_token: str | None = None,
        pad_token: str | None = None,
        unk_token: str | None = None,
        chat_template: str | None = None,
    ) -> transformers.PreTrainedTokenizerFast:
        """Return a `transformers.PreTrainedTokenizerFast`; parameters as in `save_pretrained`."""
        from bpetok.formats import huggingface

        roles = {
            "bos_token": bos_token,
            "eos_token": eos_token,
            "pad_token": pad_token,
            "unk_token": unk_token,
        }
        return huggingface.to_transformers(self, roles, chat_template)

    @classmethod
    def from_pretrained(cls, path: str | os.PathLike[str]) -> Self:
        """Return the tokenizer of a tokenizer.json, or of a folder that holds one.

        All tokens that are matched in the text before it is split ("added_tokens") become special
        tokens. What the file says of templates, truncation and padding is kept for
        `save_pretrained`; `encode` applies the template with ``add_special_tokens=True``. Ids are
        those without dropout, which a file with it is warned of.

        Raises
        ------
        OSError
            If the file can't be read.
        ValueError
            If it is not byte-level BPE, does what can't be represented, or is damaged; the message
            names the file, the place in it and the reason.
        """
        from bpetok.formats import huggingface
        from bpetok.formats.files import find_file, seems_of_hub

        file = find_file(path, "tokenizer.json")
        if seems_of_hub(path):
            raise FileNotFoundError(
                f"no such file or folder: {path!r}; a tokenizer of the Hugging Face hub is "
                f"downloaded first: huggingface_hub.snapshot_download({path!r}, "
                "allow_patterns='*.json') returns its folder"
            )
        return cls._from_parts(huggingface.read(file), file)

    # ---- tiktoken ----

    def to_tiktoken(self, name: str = "bpetok", *, portable: bool = False) -> tiktoken.Encoding:
        """Return a `tiktoken.Encoding`.

        Parameters
        ----------
        name : str
        portable : bool, default False
            Spell the pattern so that JavaScript takes it alike, for js-tiktoken.

        Raises
        ------
        ValueError
            If tiktoken would give other ids: it merges any two tokens that spell a third; or, if
            portable, the pattern can't be spelled so.
        """
        from bpetok.formats import tiktoken

        check_bool("portable", portable)
        return tiktoken.to_tiktoken(self, name, portable=portable)

    def save_tiktoken(self, path: str | os.PathLike[str]) -> None:
        """Write ordinary tokens and ranks as `tiktoken.load.load_tiktoken_bpe` reads them.

        Such a file holds neither the pattern nor the special tokens. ValueError as in
        `to_tiktoken`.
        """
        from bpetok.formats import tiktoken

        tiktoken.save_tiktoken(self, path)

    @classmethod
    def from_tiktoken(
        cls,
        source: tiktoken.Encoding | str | os.PathLike[str],
        *,
        pattern: Pattern | None = None,
        special_tokens: Mapping[str, int] | None = None,
    ) -> Self:
        """Return the tokenizer of an Encoding, or of a file of ranks.

        Parameters
        ----------
        source : tiktoken.Encoding or path
        pattern : str or list of steps, optional
            Needed for a file, which has none: a name of `bpetok.patterns.names`, a chain, or an
            expression, which means what it means in tiktoken: ids are compared where that is
            installed.
        special_tokens : mapping of str to int, optional
            For a file, which has none.

        Raises
        ------
        OSError
            If the file can't be read.
        ValueError
            If the Encoding's expression means something else there, the file is damaged, or ranks
            say what merges can't say; the message names the file and the place.
        """
        from bpetok.formats import tiktoken

        if isinstance(source, str | os.PathLike):
            if pattern is None:
                raise ValueError("pattern must be given for a file of ranks, which holds none")
            return cls._from_parts(tiktoken.read(source, pattern, special_tokens or {}), source)
        if special_tokens is not None:
            raise ValueError("special_tokens must not be given for an Encoding, which has its own")
        if not hasattr(source, "_mergeable_ranks"):
            raise TypeError(f"source must be a tiktoken.Encoding or a path, got {shorten(source)}")
        return cls._from_parts(tiktoken.read_encoding(source, pattern))

    # ---- llama.cpp ----

    def save_gguf(
        self,
        path: str | os.PathLike[str],
        *,
        bos_token: str | None = None,
        eos_token: str | None = None,
        pad_token: str | None = None,
        unk_token: str | None = None,
        chat_template: str | None = None,
    ) -> None:
        """Write a GGUF file that holds the vocabulary only, for llama.cpp.

        Special tokens, their roles, the chat template and what comes before and after each text are
        written as convert_hf_to_gguf.py writes them. Parameters as in `save_pretrained`; those that
        are not given are what the tokenizer's own file said.

        Raises
        ------
        MissingExtraError
            If gguf is not installed: ``pip install "bpetok[gguf]"``.
        ValueError
            If llama.cpp has no pre-tokenizer that gives the same ids, or can't do what this
            tokenizer does (a normalizer, bytes without an id...); the message has the reason.
        OSError
            If the file can't be written.
        """
        from bpetok.formats import gguf

        roles = {
            "bos_token": bos_token,
            "eos_token": eos_token,
            "pad_token": pad_token,
            "unk_token": unk_token,
        }
        gguf.save_gguf(self, path, roles, chat_template)

    # ---- Mistral ----

    @classmethod
    def from_tekken(cls, path: str | os.PathLike[str]) -> Self:
        """Return the tokenizer of Mistral's tekken.json, or of a folder that holds one.

        Special tokens have the first ids. They are those of the file, and <SPECIAL_20> and so on
        for the rest of their block, as in mistral-common, which finds none of them in a text.

        Raises
        ------
        OSError
            If the file can't be read.
        ValueError
            If it is damaged, or ranks say what merges can't say; the message names the file and the
            place.
        """
        from bpetok.formats import tekken
        from bpetok.formats.files import find_file

        file = find_file(path, "tekken.json")
        return cls._from_parts(tekken.read(file), file)

    # ---- GPT-2 ----

    def save_gpt2(self, folder: str | os.PathLike[str]) -> None:
        """Write vocab.json and merges.txt.

        Raises
        ------
        ValueError
            If the pattern is not GPT-2's, which their readers use, or two tokens are spelled alike.
        """
        from bpetok.formats import gpt2

        gpt2.save_gpt2(self, folder)

    @classmethod
    def from_gpt2(
        cls,
        vocab: str | os.PathLike[str],
        merges: str | os.PathLike[str],
        *,
        special_tokens: Iterable[str] | None = None,
        unmade: Literal["error", "keep"] = "error",
    ) -> Self:
        """Return the tokenizer of a vocab.json and a merges.txt.

        Parameters
        ----------
        vocab, merges : path
        special_tokens : iterable of str, optional
            Which entries of the vocabulary are special tokens. By default those no merge makes, as
            long as none is one word by itself, as a token is whose merge is missing.
        unmade : {"error", "keep"}
            What to do with tokens that no merge makes and that are not special: raise, since merges
            may have been cut off, or keep them, as transformers does. No text gives such a token,
            but its id is decoded.

        Raises
        ------
        OSError
            If a file can't be read.
        ValueError
            If one is damaged; the message names the files and the place.
        """
        from bpetok.formats import gpt2

        if not is_one_of(unmade, ("error", "keep")):
            raise ValueError(f"unmade must be 'error' or 'keep', got {shorten(unmade)}")
        parts = gpt2.read(vocab, merges, special_tokens, keep_unmade=unmade == "keep")
        return cls._from_parts(parts, vocab, merges)

    # ---- minbpe ----

    def save_minbpe(self, prefix: str | os.PathLike[str]) -> None:
        """Write PREFIX.model and PREFIX.vocab.

        minbpe's ``load`` goes on to split texts by the pattern that its tokenizer was made with, so
        make it with this one's: ``RegexTokenizer(pattern)``, whose default is `patterns.LLAMA3`.

        Raises
        ------
        ValueError
            If ids are in another order than bytes, merges, or a special token holds white space.
        """
        from bpetok.formats import minbpe

        minbpe.save_minbpe(self, prefix)

    @classmethod
    def from_minbpe(cls, path: str | os.PathLike[str]) -> Self:
        """Return the tokenizer of a .model file of minbpe's RegexTokenizer or BasicTokenizer.

        The latter's has no pattern, and a text is one word: "none" is its pattern then.

        Raises
        ------
        OSError
            If the file can't be read.
        ValueError
            If it is damaged or its pattern is not a built-in one; the message names the file and
            the line.
        """
        from bpetok.formats import minbpe

        return cls._from_parts(minbpe.read(path), path)

    @classmethod
    def _from_parts(cls, parts: Parts, *paths: str | os.PathLike[str]) -> Self:
        if not paths:
            return cls(**parts._asdict())
        from bpetok.formats.files import naming_file

        with naming_file(*paths):
            return cls(**parts._asdict())


class Pruned(NamedTuple):
    """What `Tokenizer.prune` returns: a smaller tokenizer, and the new id of each old one."""

    tokenizer: Tokenizer
    new_ids: npt.NDArray[np.int32]


def _new_ids(old: Tokenizer, new: Tokenizer, kept: Sequence[int]) -> npt.NDArray[np.int32]:
    import numpy as np

    table = np.full(old.vocab_size, -1, np.int32)
    numbers = [*range(N_BYTES), *(N_BYTES + merge for merge in kept)]
    table[old.token_ids[numbers]] = new.token_ids
    for tokens, now in (
        (old.special_tokens, new.special_tokens),
        (old.whole_words, new.whole_words),
        (old.other_tokens, new.other_tokens),
    ):
        table[list(tokens.values())] = list(now.values())
    return table
