"""The text of a file as UTF-8, whatever its encoding, its line ends and its compression."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

CHUNK = 1 << 22  # bytes in memory at a time
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
    codecs.BOM_UTF8: "utf-8",
}
_OTHERS = {
    b"PK\x03\x04": "an Excel workbook or a zip archive; unpack it, or give its name the ending .xlsx",
    b"PAR1": "a Parquet file; give its name the ending .parquet",
    b"ARROW1": "an Arrow file; give its name the ending .arrow",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook (.xls); save it as .xlsx or .csv",
    b"%PDF": "a PDF document",
}
_COMPRESSED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bz2"}
# Windows-1252 is Latin-1 with letters and signs in place of 32 control characters.
_WINDOWS = {code: ord(bytes([code]).decode("cp1252", "replace")) for code in range(0x80, 0xA0)}
_WINDOWS = {code: sign for code, sign in _WINDOWS.items() if sign != 0xFFFD}


class _Hashing:
    """A file that adds every byte that is read to a digest."""

    closed = False

    def __init__(self, file: IO[bytes], digest: Any) -> None:
        self._file, self._digest = file, digest

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._digest.update(data)
        return data

    def close(self) -> None:
        """Leave the file open; whoever opened it closes it."""


class Text:
    """The text of a file in UTF-8, without a byte order mark, its lines ending in a newline.

    Attributes:
        file: The file, which may be compressed.
        note: How it was decoded if it is not UTF-8, known when all of it has been read; "" otherwise.
    """

    def __init__(self, file: Path, digest: Any = None, chunk: int | None = None) -> None:
        """Open nothing yet.

        Args:
            file: The file.
            digest: Is updated with the file's bytes.
            chunk: Bytes to read at a time.
        """
        self.file = file
        self.note: str = ""
        self._digest = digest
        self._chunk = chunk or CHUNK

    def chunks(self) -> Iterator[bytes]:
        """Yield the text in pieces that end anywhere, and a newline at the end if the last line lacks it.

        Raises:
            ValueError: If the file is not text, or its text is damaged.
        """
        last, carriage_returns = b"\n", None
        for chunk in filter(None, self._decoded()):
            if carriage_returns is None:  # the line ends of old Macs
                carriage_returns = False if b"\n" in chunk else b"\r" in chunk[:-1] or None
            last = chunk.replace(b"\r", b"\n") if carriage_returns else chunk
            yield last
        if not last.endswith(b"\n"):
            yield b"\n"

    def _raw(self) -> Iterator[bytes]:
        with self.file.open("rb") as file:
            start = file.read(8)
            file.seek(0)
            source = file if self._digest is None else _Hashing(file, self._digest)
            for magic, meaning in _OTHERS.items():
                if start.startswith(magic):
                    raise ValueError(f"it is {meaning}")
            for magic, compression in _COMPRESSED.items():
                if start.startswith(magic):
                    source = pa.CompressedInputStream(pa.PythonFile(source, mode="r"), compression)
            while chunk := source.read(self._chunk):
                yield chunk
            while self._digest is not None and (rest := file.read(CHUNK)):  # after the end of the compressed data
                self._digest.update(rest)

    def _decoded(self) -> Iterator[bytes]:
        raw = self._raw()
        first = next(raw, b"")
        encoding, mark = next(((name, mark) for mark, name in _MARKS.items() if first.startswith(mark)), ("", b""))
        zeros = [index % 2 for index, byte in enumerate(first[:1000]) if byte == 0]
        if not mark and zeros:
            if len(set(zeros)) > 1 or 4 * len(zeros) < len(first[:1000]):
                raise ValueError("it is not text: it has bytes that are 0")
            encoding = "utf-16-le" if zeros[0] else "utf-16-be"
        first = first[len(mark) :]
        if encoding not in ("", "utf-8"):
            self.note = f"read as {encoding[:6].upper()}"
            decoder = codecs.getincrementaldecoder(encoding)()
            try:
                for chunk in (first, *raw):
                    yield decoder.decode(chunk).encode()
                yield decoder.decode(b"", final=True).encode()
            except UnicodeError:
                raise ValueError(f"its text is damaged: it is not {encoding[:6].upper()} throughout") from None
        else:
            yield from self._utf8_or_windows(first, raw)

    def _utf8_or_windows(self, first: bytes, raw: Iterator[bytes]) -> Iterator[bytes]:
        decoder, line, beyond_ascii = codecs.getincrementaldecoder("utf-8")(), 1, False
        for chunk in _with_end(first, raw):
            held, _ = decoder.getstate()
            try:
                if self.note:
                    yield chunk.decode("latin-1").translate(_WINDOWS).encode()
                elif chunk.isascii() and chunk and not held:
                    yield chunk
                else:
                    text = decoder.decode(chunk, final=not chunk)
                    beyond_ascii |= not text.isascii()
                    yield text.encode()
            except UnicodeDecodeError as error:
                chunk, start = held + chunk, error.start
                # Text of another encoding hardly ever has an accented letter that is valid UTF-8.
                lenient = chunk.decode("utf-8", "surrogateescape")
                if beyond_ascii or any(sign > "\x7f" and not "\udc80" <= sign <= "\udcff" for sign in lenient):
                    line += chunk.count(b"\n", 0, start)
                    raise ValueError(
                        f"line {line} has bytes that are not UTF-8, as other lines are; save the file in UTF-8"
                    ) from None
                self.note = "not UTF-8: read as Windows-1252 (Latin-1)"
                yield chunk.decode("latin-1").translate(_WINDOWS).encode()
            line += chunk.count(b"\n")


def _with_end(first: bytes, raw: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from raw
    yield b""
