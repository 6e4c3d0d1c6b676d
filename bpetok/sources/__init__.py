"""Files, tables and iterables to chunks of whole words.

pieces       a text -> pieces that are cut where a word ends -> chunks
files        paths, globs, folders, URLs -> bytes
compression  compressed bytes -> bytes
reading      the options: column, sample, limits
records      many short texts in one buffer -> chunks
longlines    a line of JSON that is long, in parts -> its texts, one after another, and its rest
jsonl        lines of JSON -> chunks
arrow        Parquet, Arrow, tables, datasets -> chunks
corpus       what a user gives -> all of it
"""

from bpetok.sources.arrow import is_table as is_table
from bpetok.sources.corpus import Corpus as Corpus
from bpetok.sources.corpus import Files as Files
from bpetok.sources.corpus import corpus_items as corpus_items
from bpetok.sources.corpus import marked_items as marked_items
from bpetok.sources.corpus import resolve_corpus as resolve_corpus
from bpetok.sources.files import COMPRESSED as COMPRESSED
from bpetok.sources.files import STANDARD_INPUT as STANDARD_INPUT
from bpetok.sources.files import StrPath as StrPath
from bpetok.sources.files import changed as changed
from bpetok.sources.files import file_state as file_state
from bpetok.sources.files import local_files as local_files
from bpetok.sources.files import opened as opened
from bpetok.sources.files import resolve_files as resolve_files
from bpetok.sources.files import sample_files as sample_files
from bpetok.sources.pieces import CHUNK_SIZE as CHUNK_SIZE
from bpetok.sources.pieces import Buffer as Buffer
from bpetok.sources.pieces import Chunk as Chunk
from bpetok.sources.pieces import Cutting as Cutting
from bpetok.sources.pieces import Origin as Origin
from bpetok.sources.pieces import Piece as Piece
from bpetok.sources.pieces import chunks as chunks
from bpetok.sources.pieces import join as join
from bpetok.sources.pieces import text_pieces as text_pieces
from bpetok.sources.reading import Context as Context
from bpetok.sources.reading import Position as Position
from bpetok.sources.reading import Reading as Reading
from bpetok.sources.reading import ReadOptions as ReadOptions
from bpetok.sources.reading import Tally as Tally
from bpetok.sources.reading import check_reading as check_reading
