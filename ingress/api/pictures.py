"""Answers with SVG pictures."""

from starlette.responses import Response

from calmo_pagerduty.plots.svg import Figure

#: A browser that opens the picture by itself runs no script in it.
SVG_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "X-Content-Type-Options": "nosniff",
}


def svg_response(figure: Figure) -> Response:
    return Response(figure.document(), media_type="image/svg+xml", headers=SVG_HEADERS)
