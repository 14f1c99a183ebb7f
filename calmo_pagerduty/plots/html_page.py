"""A page of HTML without scripts and without network: light and dark, printable, all texts escaped."""

import re
from html import escape

from calmo_pagerduty.kernel.untrusted_text import sanitize_text
from calmo_pagerduty.plots.styles import STYLE_SHEET

_HTTP_URL = re.compile(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?(/[A-Za-z0-9._~/?#@!$&*+,;=%:-]*)?")
MAX_URL_LENGTH = 2048

#: Contrast of texts is at least 4.5 to 1 in both themes.
_STYLE = """
:root{color-scheme:light dark;--ink:#1f2328;--muted:#59636e;--paper:#fff;--line:#d1d9e0;--soft:#f6f8fa;
--critical:#b3121a;--high:#8a5a00;--medium:#7a6200;--low:#0a5cc2;--info:#59636e;--link:#0a5cc2;--good:#1a7f37}
@media screen and (prefers-color-scheme:dark){:root{--ink:#e6edf3;--muted:#9198a1;--paper:#0d1117;
--line:#30363d;--soft:#161b22;--critical:#ff8a82;--high:#e3a341;--medium:#d9b13b;--low:#58a6ff;--info:#9198a1;
--link:#58a6ff;--good:#3fb950}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",
Roboto,"Noto Sans",sans-serif}
main{max-width:68rem;margin:0 auto;padding:1.5rem}
h1{font-size:1.6rem;line-height:1.2;margin:0 0 .25rem}
h2{font-size:1.2rem;margin:2rem 0 .5rem;padding-bottom:.25rem;border-bottom:1px solid var(--line)}
h3{font-size:1rem;margin:1rem 0 .25rem}
p{margin:.4rem 0}
a{color:var(--link)}
code{font:.9em ui-monospace,SFMono-Regular,Menlo,monospace;background:var(--soft);padding:.1em .3em;
border-radius:.25rem;overflow-wrap:anywhere}
.muted{color:var(--muted)}
.warning{border:1px solid var(--high);border-left-width:.4rem;border-radius:.25rem;padding:.5rem 1rem;
margin:1rem 0;background:var(--soft)}
.good{color:var(--good);font-weight:600}
.finding{border:1px solid var(--line);border-left:.4rem solid var(--info);border-radius:.25rem;
padding:.6rem 1rem;margin:.6rem 0;break-inside:avoid}
.finding.critical{border-left-color:var(--critical)}.finding.high{border-left-color:var(--high)}
.finding.medium{border-left-color:var(--medium)}.finding.low{border-left-color:var(--low)}
.severity{font-weight:700;margin-right:.5rem;white-space:nowrap}
.critical .severity{color:var(--critical)}.high .severity{color:var(--high)}
.medium .severity{color:var(--medium)}.low .severity{color:var(--low)}.info .severity{color:var(--info)}
.title{font-weight:600;overflow-wrap:anywhere}
.tag{border:1px solid var(--line);border-radius:1rem;padding:0 .6rem;font-size:.85rem;margin-left:.4rem;
white-space:nowrap}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem;margin:.4rem 0 0}
dt{color:var(--muted)}dd{margin:0;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%;margin:.5rem 0}
th,td{text-align:left;vertical-align:top;padding:.25rem .75rem .25rem 0;border-bottom:1px solid var(--line)}
td.number,th.number{text-align:right}
.wide{overflow-x:auto}
@media screen and (max-width:48rem){main{padding:1rem}dl{grid-template-columns:1fr}dt{margin-top:.4rem}
.wide .plot{min-width:44rem}}
footer{margin-top:2.5rem;padding-top:.5rem;border-top:1px solid var(--line);font-size:.85rem}
@media print{:root{color-scheme:light}body{font-size:11pt}main{max-width:none;padding:0}a{color:inherit}
.finding,table,svg{break-inside:avoid}}
"""


def html_page(title: str, body: str, *, with_plots: bool = False) -> str:
    """Return a whole page. `title` is plain text, `body` is HTML."""
    style = _STYLE + (STYLE_SHEET if with_plots else "")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html_text(title)}</title>\n<style>{style}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def html_text(text: str, longest: int = 4096) -> str:
    """Return untrusted text as HTML, without invisible characters."""
    return escape(sanitize_text(text, longest), quote=True)


def html_link(text: str, address: str | None) -> str:
    """Return `text` (plain) as a link; as text alone if the address is no plain http URL."""
    if address is None or len(address) > MAX_URL_LENGTH or not _HTTP_URL.fullmatch(address):
        return html_text(text)
    return f'<a href="{escape(address, quote=True)}" rel="noreferrer">{html_text(text)}</a>'
