"""The dashboard's scripts and style sheets: read once, and served under names with the content's hash.

A script imports another by its plain name; the import is rewritten to the hashed name, so a browser may keep
every file for ever.
"""

import hashlib
import mimetypes
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from calmo_pagerduty.plots.styles import STYLE_SHEET
from ingress.api.errors import ResourceNotFound

FOLDER = Path(__file__).parent / "static"
PATH = "/static/{name:path}"
IMMUTABLE = "public, max-age=31536000, immutable"
#: `import … from "./name.js"`
_IMPORT = re.compile(rb'(from\s+"\./)([\w-]+\.js)(")')
_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}


class StaticFiles:
    """All files by their plain names, and the addresses that pages use."""

    def __init__(self, root: str) -> None:
        self._root = root

    @cached_property
    def contents(self) -> Mapping[str, bytes]:
        """The contents by plain name: `app.css`, `vendor/htmx.min.js`."""
        files = {
            str(path.relative_to(FOLDER)): path.read_bytes()
            for path in sorted(FOLDER.rglob("*"))
            if path.suffix in {".css", ".js", ".svg"}
        }
        # The plots' own style sheet: a page with a strict policy serves it as a file.
        return {**files, "plots.css": STYLE_SHEET.encode()}

    @cached_property
    def _by_hashed_name(self) -> Mapping[str, tuple[str, bytes]]:
        return {self.hashed_name(name): (name, self.served(name)) for name in self.contents}

    def served(self, name: str) -> bytes:
        """Return the content with its imports by hashed names. Raises KeyError."""
        return _IMPORT.sub(
            lambda found: found[1] + self.hashed_name(found[2].decode()).encode() + found[3],
            self.contents[name],
        )

    def hashed_name(self, name: str) -> str:
        """Return `live.0a1b2c3d4e5f.js` for `live.js`. Raises KeyError."""
        stem, _, suffix = name.rpartition(".")
        return f"{stem}.{hashlib.sha256(self.served(name)).hexdigest()[:12]}.{suffix}"

    def address(self, name: str) -> str:
        """Return the address of a file for a page. Raises KeyError."""
        return f"{self._root}/static/{self.hashed_name(name)}"

    async def serve(self, request: Request) -> Response:
        """GET /dashboard/static/NAME. Raises ResourceNotFound."""
        found = self._by_hashed_name.get(request.path_params["name"])
        if found is None:
            raise ResourceNotFound("there is no such file; reload the page")
        name, content = found
        media_type = _TYPES.get(Path(name).suffix) or mimetypes.guess_type(name)[0]
        return Response(content, media_type=media_type, headers={"Cache-Control": IMMUTABLE})
