"""Hugging Face tokenizers 1.0, before it is out: the encoder."""

from benchmarks.contenders.tokenizers import encode_settings as encode_settings
from benchmarks.contenders.tokenizers import load as load
from benchmarks.contenders.tokenizers import outputs as outputs
from benchmarks.contenders.tokenizers import writes_files as writes_files

label = "tokenizers 1.0.0rc3"
requirements: tuple[str, ...] = ("tokenizers==1.0.0rc3",)
