"""The studio: a page that comes with errata and speaks to the same routes as any other client.

Its files are read once. Nothing else can be asked for, so no name leads out of the folder. A browser runs only what came from here:
the one script that stands in the page, its import map, is allowed by its digest, and that names the digest of each library.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from errata.serve.wire.errors import not_found

FOLDER: Final = Path(__file__).parent.parent / "studio"

_PAGE: Final = "index.html"
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".md": "text/plain; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
}
_INLINE: Final = re.compile(r"<script[^>]*>(.*?)</script>", re.DOTALL)


@dataclass(frozen=True)
class File:
    """A file as it is served."""

    data: bytes
    type: str
    etag: str
    """The digest of its bytes, in quotes."""


def files(folder: Path = FOLDER) -> Mapping[str, File]:
    """Every file of the page by its path from the folder."""
    found = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix in _TYPES)
    return {path.relative_to(folder).as_posix(): _file(path) for path in found}


def policy(page: str) -> str:
    """The content security policy of a page: its own origin alone, and of scripts in it only those that it was written with."""
    inline = [script for script in _INLINE.findall(page) if script.strip()]
    digests = "".join(f" 'sha256-{base64.b64encode(hashlib.sha256(one.encode()).digest()).decode()}'" for one in inline)
    return (
        f"default-src 'self'; script-src 'self'{digests}; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )


def studio() -> APIRouter:
    """`/studio/` with its files, and `/` that leads there. None of it needs a key: what is asked for from there does."""
    router, held = APIRouter(include_in_schema=False), files()
    headers = {
        "Content-Security-Policy": policy(held[_PAGE].data.decode("utf-8")),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-cache",  # kept, and asked for again by its ETag
    }

    @router.get("/")
    @router.get("/studio")
    def lead_there() -> Response:
        # Relative, so that it also holds behind a proxy that serves under a path.
        return RedirectResponse("studio/", status_code=307)

    @router.api_route("/studio/{name:path}", methods=["GET", "HEAD"])
    def serve(name: str, request: Request) -> Response:
        file = held.get(name or _PAGE)
        if file is None:
            raise not_found("The studio has no such file. It begins at /studio/.")
        own = {**headers, "ETag": file.etag}
        if file.etag in re.split(r"\s*,\s*", request.headers.get("if-none-match", "")):
            return Response(status_code=304, headers=own)
        return Response(file.data, media_type=file.type, headers=own)

    return router


def _file(path: Path) -> File:
    data = path.read_bytes()
    return File(data, _TYPES[path.suffix], f'"{hashlib.sha256(data).hexdigest()[:32]}"')


router: Final = studio()
