"""Reads the body of a response within a size limit, which also holds while the body is decompressed."""

import zlib
from collections.abc import AsyncIterable, AsyncIterator

_ENCODINGS = ("gzip", "x-gzip", "deflate")
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_CHUNK_BYTES = 1024 * 1024


class UnreadableBody(ValueError):
    """The body is too large, damaged or compressed in a way that is not supported; the message completes "it is …"."""


async def read_body(raw: AsyncIterable[bytes], content_encoding: str, max_bytes: int) -> bytes:
    """Return the decoded body. Raises UnreadableBody.

    The client asks for no compression, but a service may compress, once: httpx decodes any number of layers before it
    shows the size, so that 3 KB could become 3 GB.
    """
    chunks = raw if content_encoding.strip().lower() in ("", "identity") else _decompress(raw, content_encoding)
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > max_bytes:
            body.clear()  # the error's traceback would keep it until garbage collection
            raise UnreadableBody(f"larger than {max_bytes // 1024**2} MiB")
    return bytes(body)


async def _decompress(raw: AsyncIterable[bytes], content_encoding: str) -> AsyncIterator[bytes]:
    """Yield the decoded body in chunks of limited size."""
    if content_encoding.strip().lower() not in _ENCODINGS:
        raise UnreadableBody("compressed more than once or in an unknown way")
    decoder = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        async for chunk in raw:
            rest = chunk
            while rest and not decoder.eof:
                yield decoder.decompress(rest, _CHUNK_BYTES)
                rest = decoder.unconsumed_tail
        yield decoder.flush()
    except zlib.error:
        raise UnreadableBody("compressed and damaged") from None
    if not decoder.eof:
        raise UnreadableBody("compressed and incomplete")
