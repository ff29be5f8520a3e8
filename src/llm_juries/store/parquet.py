"""Verdicts as Arrow tables and Parquet files: the schema, conversion, and reading single rows.

A column is named after a field of `Verdict`; the struct `reply` has the fields of `Reply`.
`choice_logprobs` is a list of pairs rather than a map, which Hugging Face's datasets don't support.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from ..errors import JuriesError
from ..types import Order, Outcome, Reply, Verdict

FORMAT = 2  # of Parquet files and manifests: increased by a change that older versions can't read
GROUP = 4096  # rows a row group, the least that one look-up decodes
REPEATED = [
    "judge", "prompt", "dataset", "item_id", "candidate", "opponent", "order", "outcome", "reader",
    "reply.text", "reply.stop", "reply.error",
]  # fmt: skip
_FORMER = {"value": "label"}  # what a column was called in format 1
_ADDED = ("repeat", "criterion")  # since format 1; null ones of a reply need no mention
_DEFAULTS = {"repeat": 1, "criterion": "", "finish_reason": "", "model": "", "server": ""}
_BLOCK, _GROUPS, _BLOCKS = 256, 16, 32
OPTIONAL = frozenset(
    {
        *("value", "score", "cost_usd", "reply.input_tokens", "reply.cached_tokens"),
        *("reply.cache_write_tokens", "reply.output_tokens", "reply.latency_s"),
        *("reply.thinking_tokens", "reply.label_mass", "reply.confidence"),
    }
)
"""The columns in which a verdict may have nothing."""
FEWEST_BYTES = 1  # a row has more, compressed: its key is its own
EXPANDED = 1 << 28, 1000  # bytes of a row group, and how many times as many as in the file
_ORDERS = {str(order): order for order in Order}
_OUTCOMES = {str(outcome): outcome for outcome in Outcome}
_WORDS = {
    "order": tuple(_ORDERS),
    "outcome": tuple(_OUTCOMES),
    "reply.stop": ("stop", "length", "refusal", "error"),
}


@cache
def schema() -> Any:
    """Return the Arrow schema of verdicts."""
    import pyarrow as pa

    text, number, count = pa.string(), pa.float64(), pa.int64()
    reply = [
        ("text", text), ("stop", text), ("error", text), ("thinking", text), ("earlier", text),
        ("choice_logprobs", pa.list_(pa.struct([("word", text), ("logprob", number)]))),
        ("input_tokens", count), ("cached_tokens", count), ("cache_write_tokens", count),
        ("output_tokens", count), ("latency_s", number), ("batched", pa.bool_()),
        ("finish_reason", text), ("model", text), ("thinking_tokens", count),
        ("label_mass", number), ("confidence", number), ("server", text),
    ]  # fmt: skip
    return pa.schema(
        [
            ("key", text), ("judge", text), ("prompt", text), ("dataset", text), ("item_id", text),
            ("candidate", text), ("opponent", text), ("order", text), ("outcome", text),
            ("value", text), ("score", number), ("reader", text), ("reply", pa.struct(reply)),
            ("cost_usd", number), ("attempts", count), ("asked_at", number), ("repeat", count),
            ("criterion", text),
        ],
        metadata={"llm_juries.format": str(FORMAT)},
    )  # fmt: skip


def columns_of(file: Any, names: Sequence[str]) -> list[str]:
    """Return which columns to read from a file for some of the schema's, whatever its format."""
    there = set(file.schema_arrow.names)
    found = [_FORMER.get(name, name) if name not in there else name for name in names]
    return [name for name in found if name in there]


def upgraded(rows: Any, names: Sequence[str], path: Path) -> Any:
    """Return a record batch of any format with some of the schema's columns, in their order.

    Format 1 had a number, `label`, where `value` is now: it becomes that number as text, which
    every scale that is inferred from a prompt's verdict words knows. What format 1 lacked is null
    or has its default.

    Raises
    ------
    JuriesError
        If a row is not a verdict; `path` is that of the file.
    """
    import pyarrow as pa

    columns = []
    for name in names:
        field = schema().field(name)
        if name in rows.schema.names:
            column = rows.column(name)
            columns.append(_reply(column) if name == "reply" else column.cast(field.type))
        elif name == "value" and "label" in rows.schema.names:
            labels = rows.column("label").to_pylist()
            columns.append(pa.array([None if x is None else f"{x:g}" for x in labels], field.type))
        else:
            columns.append(pa.array([_DEFAULTS.get(name)] * rows.num_rows, field.type))
    batch = pa.RecordBatch.from_arrays(
        columns, schema=pa.schema([schema().field(name) for name in names], schema().metadata)
    )
    _check_values(batch, path)
    return batch


def _check_values(rows: Any, path: Path) -> None:
    """Raise JuriesError where rows lack a field that verdicts have, or have another word for it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = dict(zip(rows.schema.names, rows.columns, strict=True))
    reply = columns.get("reply")
    if reply is not None:
        kind = reply.type
        columns |= {f"reply.{kind.field(n).name}": part for n, part in enumerate(reply.flatten())}
        pairs = columns["reply.choice_logprobs"].flatten()
        columns["reply.choice_logprobs.word"] = pairs.field("word")
    for name, column in columns.items():
        if column.null_count and name not in OPTIONAL:
            raise JuriesError(f"{path}: a row has no {name}, so this is not a file of verdicts")
        known = _WORDS.get(name)
        if known and not pc.all(pc.is_in(column, pa.array(known))).as_py():
            raise JuriesError(f"{path}: a row has an {name} that is none of {', '.join(known)}")


def _reply(column: Any) -> Any:
    """Return replies with all fields of today's."""
    import pyarrow as pa

    kind = schema().field("reply").type
    if column.type == kind:
        return column
    there = {column.type.field(at).name: part for at, part in enumerate(column.flatten())}
    parts = [
        there[field.name].cast(field.type)
        if field.name in there
        else pa.array([_DEFAULTS.get(field.name)] * len(column), field.type)
        for field in kind.fields
    ]
    return pa.StructArray.from_arrays(parts, fields=kind.fields)


def table_of(verdicts: Sequence[Verdict]) -> Any:
    """Return verdicts as an Arrow table."""
    import pyarrow as pa

    replies = [verdict.reply for verdict in verdicts]
    columns = []
    for field in schema():
        if field.name == "reply":
            parts = [
                _logprobs(replies, part.type)
                if part.name == "choice_logprobs"
                else pa.array([getattr(reply, part.name) for reply in replies], part.type)
                for part in field.type.fields
            ]
            columns.append(pa.StructArray.from_arrays(parts, fields=field.type.fields))
        else:
            columns.append(pa.array([getattr(v, field.name) for v in verdicts], field.type))
    return pa.Table.from_arrays(columns, schema=schema())


def _logprobs(replies: Sequence[Reply], kind: Any) -> Any:
    import pyarrow as pa

    words: list[str] = []
    values: list[float] = []
    offsets = [0]
    for reply in replies:
        words += reply.choice_logprobs.keys()
        values += reply.choice_logprobs.values()
        offsets.append(len(words))
    pairs = pa.StructArray.from_arrays(
        [pa.array(words, pa.string()), pa.array(values, pa.float64())],
        fields=kind.value_type.fields,
    )
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pairs, type=kind)


def verdicts_of(table: Any) -> Iterator[Verdict]:
    """Yield the rows of an Arrow table with the columns of `schema`."""
    import pyarrow as pa

    # The schema's columns, and those of a reply, are in the order of the dataclasses' fields.
    columns = [_whole(table.column(name)) for name in schema().names]
    if not table.num_rows:
        return
    values = [None if pa.types.is_struct(c.type) else c.to_pylist() for c in columns]
    reply, order, outcome = (schema().names.index(n) for n in ("reply", "order", "outcome"))
    parts = [part.to_pylist() for part in columns[reply].flatten()]
    logprobs = columns[reply].type.get_field_index("choice_logprobs")
    parts[logprobs] = [
        {pair["word"]: pair["logprob"] for pair in pairs} if pairs else {}
        for pairs in parts[logprobs]
    ]
    values[reply] = [Reply(*row) for row in zip(*parts, strict=True)]
    values[order] = [_ORDERS[value] for value in values[order]]
    values[outcome] = [_OUTCOMES[value] for value in values[outcome]]
    for row in zip(*values, strict=True):
        yield Verdict(*row)


def _whole(column: Any) -> Any:
    """Return a column as one contiguous array."""
    import pyarrow as pa

    whole = column.combine_chunks()
    return pa.concat_arrays(whole.chunks) if isinstance(whole, pa.ChunkedArray) else whole


def opened(path: Path) -> Any:
    """Open a Parquet file of verdicts.

    Raises
    ------
    FileNotFoundError
        If it no longer exists: a compaction has replaced it.
    JuriesError
        If it is damaged, a column is missing, or it was written by a newer version.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.exists() and not path.is_file():
        raise JuriesError(f"{path}: is not a regular file; restore it from a copy")
    try:
        file = pq.ParquetFile(path, page_checksum_verification=True)
        found = file.schema_arrow
        number = int((found.metadata or {}).get(b"llm_juries.format", b"1"))
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _damaged(path, error) from None
    try:
        check_format(number, str(path))
        _check_schema(found, path)
        _check_size(file.metadata, path)
    except JuriesError:
        file.close()
        raise
    return file


def _check_schema(found: Any, path: Path) -> None:
    """Raise JuriesError if a file lacks a column of verdicts or holds something else in one."""
    import pyarrow as pa

    for field in schema():
        name = field.name if field.name in found.names else _FORMER.get(field.name, "")
        if name not in found.names:
            if field.name in _ADDED:
                continue
            raise JuriesError(
                f"{path}: has no column {field.name!r}, so it is not a file of verdicts"
            )
        there, wanted = found.field(name).type, field.type
        if pa.types.is_struct(wanted):
            parts = {wanted.field(n).name: wanted.field(n).type for n in range(wanted.num_fields)}
            same = pa.types.is_struct(there) and all(
                _alike(there.field(n).type, parts.get(there.field(n).name))
                for n in range(there.num_fields)
            )
        else:
            same = _alike(there, pa.float64() if name == "label" else wanted)
        if not same:
            raise JuriesError(
                f"{path}: its column {name!r} holds {there}, so it is not a file of verdicts"
            )


def _alike(there: Any, wanted: Any) -> bool:
    """Return whether a type is the wanted one, with whatever field names a list's struct has."""
    import pyarrow as pa

    if pa.types.is_null(there) or there == wanted or wanted is None:
        return True
    return bool(pa.types.is_list(there) and pa.types.is_list(wanted)) and (
        there.value_type == wanted.value_type
    )


def _check_size(metadata: Any, path: Path) -> None:
    """Raise JuriesError if a file claims more than its bytes can hold: reading it takes memory."""
    size = path.stat().st_size
    at_least, times = EXPANDED
    for group in (metadata.row_group(number) for number in range(metadata.num_row_groups)):
        columns = (group.column(number) for number in range(group.num_columns))
        if group.num_rows * FEWEST_BYTES > size or any(
            column.total_uncompressed_size > max(at_least, times * column.total_compressed_size)
            for column in columns
        ):
            raise JuriesError(
                f"{path}: claims {group.num_rows:,} rows and {group.total_byte_size:,} bytes in a "
                f"file of {size:,}, so it is not a file of verdicts"
            )


def check_format(number: int, where: str) -> None:
    """Raise JuriesError if a format is newer than this version can read."""
    if number > FORMAT:
        raise JuriesError(
            f"{where}: has format {number} of a newer version; this one reads up to {FORMAT}; "
            "update llm-juries"
        )


def batches(
    file: Any, path: Path, size: int, columns: Sequence[str] | None = None
) -> Iterator[Any]:
    """Yield an open file's rows as record batches, of some columns or of all.

    Raises
    ------
    JuriesError
        If a page is not as it was written.
    """
    import pyarrow as pa

    try:
        yield from file.iter_batches(size, columns=columns)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> JuriesError:
    reason = " ".join(str(error).split())
    return JuriesError(f"{path}: can't be read as Parquet ({reason}); restore it from a copy")


class Rows:
    """Reads single rows of Parquet files, decoded in blocks, as neighbours are mostly read next."""

    def __init__(self) -> None:
        self._files: OrderedDict[Path, tuple[Any, list[int]]] = OrderedDict()
        self._groups: OrderedDict[tuple[Path, int], Any] = OrderedDict()
        self._blocks: OrderedDict[tuple[Path, int], list[Verdict]] = OrderedDict()

    def verdict(self, path: Path, row: int) -> Verdict:
        """Return a row of a file. Raises FileNotFoundError if the file no longer exists."""
        at = (path, row // _BLOCK)
        block = self._blocks.get(at)
        if block is None:
            block = self._block(path, at[1] * _BLOCK)
            _put(self._blocks, at, block, _BLOCKS)
        return block[row % _BLOCK]

    def _block(self, path: Path, start: int) -> list[Verdict]:
        import pyarrow as pa

        file = self._files.get(path)
        if file is None:
            parquet = opened(path)
            starts = [0]
            for group in range(parquet.num_row_groups):
                starts.append(starts[-1] + parquet.metadata.row_group(group).num_rows)
            file = parquet, starts
            if gone := _put(self._files, path, file, _GROUPS):
                gone[0].close()
        parquet, starts = file
        found: list[Verdict] = []
        for group, (first, end) in enumerate(pairwise(starts)):
            low, high = max(start, first), min(start + _BLOCK, end)
            if low >= high:
                continue
            table = self._groups.get((path, group))
            if table is None:
                try:
                    table = parquet.read_row_group(group)
                except (pa.ArrowException, OSError) as error:
                    raise _damaged(path, error) from None
                _put(self._groups, (path, group), table, _GROUPS)
            for batch in table.slice(low - first, high - low).to_batches():
                rows = upgraded(batch, schema().names, path)
                found += verdicts_of(pa.Table.from_batches([rows]))
        return found

    def close(self) -> None:
        """Close all files."""
        for file, _ in self._files.values():
            file.close()
        self._files.clear()
        self._groups.clear()
        self._blocks.clear()


def _put(held: OrderedDict[Any, Any], key: Any, value: Any, most: int) -> Any:
    """Cache a value; return the oldest one, evicted, if there are too many."""
    held[key] = value
    return held.popitem(last=False)[1] if len(held) > most else None
