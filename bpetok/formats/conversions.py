"""The methods of a Tokenizer that write and read other libraries' files: `bpetok.formats`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, cast

from bpetok.base.checks import shorten
from bpetok.formats.files import naming_file
from bpetok.formats.parts import Parts

if TYPE_CHECKING:
    import tiktoken
    import tokenizers
    import transformers
    from typing_extensions import Self

    from bpetok.tokenizer import Tokenizer


class Conversions:
    """What `Tokenizer` inherits. Nothing is imported before it is asked for."""

    __slots__ = ()

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
    ) -> None:
        """Write a folder that `transformers.AutoTokenizer.from_pretrained` loads.

        The ids of some thousand awkward texts are compared before anything is written: with those
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
        huggingface.save_pretrained(
            self._tokenizer(), folder, roles, chat_template, model_max_length
        )

    def to_tokenizers(self) -> tokenizers.Tokenizer:
        """Return a `tokenizers.Tokenizer`; ValueError as in `save_pretrained`."""
        from bpetok.formats import huggingface

        return huggingface.to_tokenizers(self._tokenizer())

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
        return huggingface.to_transformers(self._tokenizer(), roles, chat_template)

    @classmethod
    def from_pretrained(cls, path: str | os.PathLike[str]) -> Self:
        """Return the tokenizer of a tokenizer.json, or of a folder that holds one.

        All tokens that are matched in the text before it is split ("added_tokens") become special
        tokens. Warns if the file adds tokens around each text, which `encode` never does.

        Raises
        ------
        OSError
            If the file can't be read.
        ValueError
            If it is not byte-level BPE with a built-in pattern, or is damaged; the message names
            the file, the place in it and the reason.
        """
        from bpetok.formats import huggingface

        file = huggingface.find_file(path)
        return cls._from_parts(huggingface.read(file), file)

    # ---- tiktoken ----

    def to_tiktoken(self, name: str = "bpetok") -> tiktoken.Encoding:
        """Return a `tiktoken.Encoding`.

        Raises
        ------
        ValueError
            If tiktoken would give other ids: it merges any two tokens that spell a third.
        """
        from bpetok.formats import tiktoken

        return tiktoken.to_tiktoken(self._tokenizer(), name)

    def save_tiktoken(self, path: str | os.PathLike[str]) -> None:
        """Write ordinary tokens and ranks as `tiktoken.load.load_tiktoken_bpe` reads them.

        Such a file holds neither the pattern nor the special tokens. ValueError as in
        `to_tiktoken`.
        """
        from bpetok.formats import tiktoken

        tiktoken.save_tiktoken(self._tokenizer(), path)

    @classmethod
    def from_tiktoken(
        cls,
        source: tiktoken.Encoding | str | os.PathLike[str],
        *,
        pattern: str | None = None,
        special_tokens: Mapping[str, int] | None = None,
    ) -> Self:
        """Return the tokenizer of an Encoding, or of a file of ranks.

        Parameters
        ----------
        source : tiktoken.Encoding or path
        pattern : str, optional
            Needed for a file, which has none: a name of `bpetok.patterns.names`, or its expression.
        special_tokens : mapping of str to int, optional
            For a file, which has none.

        Raises
        ------
        OSError
            If the file can't be read.
        ValueError
            If the pattern is not a built-in one, the file is damaged, or ranks say what merges
            can't say; the message names the file and the place.
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

    # ---- GPT-2 ----

    def save_gpt2(self, folder: str | os.PathLike[str]) -> None:
        """Write vocab.json and merges.txt.

        Raises
        ------
        ValueError
            If the pattern is not GPT-2's, which their readers use, or two tokens are spelled alike.
        """
        from bpetok.formats import gpt2

        gpt2.save_gpt2(self._tokenizer(), folder)

    @classmethod
    def from_gpt2(
        cls,
        vocab: str | os.PathLike[str],
        merges: str | os.PathLike[str],
        *,
        special_tokens: Iterable[str] | None = None,
    ) -> Self:
        """Return the tokenizer of a vocab.json and a merges.txt.

        Parameters
        ----------
        vocab, merges : path
        special_tokens : iterable of str, optional
            Which entries of the vocabulary are special tokens. Else those that no merge makes, as
            long as none is one word by itself, as a token is whose merge is missing.

        Raises
        ------
        OSError
            If a file can't be read.
        ValueError
            If one is damaged; the message names the files and the place.
        """
        from bpetok.formats import gpt2

        return cls._from_parts(gpt2.read(vocab, merges, special_tokens), vocab, merges)

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

        minbpe.save_minbpe(self._tokenizer(), prefix)

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
        with naming_file(*paths):
            return cls(**parts._asdict())

    def _tokenizer(self) -> Tokenizer:
        return cast("Tokenizer", self)
