"""Compare titles: TF-IDF vectors of character trigrams, cosine similarity.

- Term: three consecutive code points of the masked title, with a space at each end.
- tf: how often the trigram comes in the title. idf: 1 + ln((1 + n) / (1 + df)), over the n distinct masked
  titles that are compared; df of them have the trigram. So an index may be kept between incidents: titles
  it knows beside those compared never change a result.
- Similarity: cosine of the two tf * idf vectors, 0 to 1; exactly 1 for the same masked title.

Source: the same weights as scikit-learn's `TfidfVectorizer(analyzer="char", ngram_range=(3, 3))` with its
defaults `smooth_idf=True`, `norm="l2"`, on masked titles with those spaces. Its import takes seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from calmo_pagerduty.contexts.analysis.titles import mask_title

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

#: An index that would know more titles is begun anew.
MAX_TITLES = 60_000
#: So many numbers are held at once in a comparison: 32 MB.
MAX_MATRIX_CELLS = 4_000_000
_NO_INTS: Ints = np.empty(0, np.int64)
_NO_FLOATS: Floats = np.empty(0, np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class TitleIndex:
    """What is known of titles. Immutable, so threads may share it.

    `rows` are distinct masked titles. `pieces` are in the order of their letters' code points, whatever
    came first, so that sums are the same in a small and in a large index.
    """

    masks: Mapping[str, str] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    pieces: Ints = field(default_factory=lambda: _NO_INTS)
    #: Row by row: which pieces, and how often. `begins` has one more for the end.
    begins: Ints = field(default_factory=lambda: np.zeros(1, np.int64))
    columns: Ints = field(default_factory=lambda: _NO_INTS)
    counts: Floats = field(default_factory=lambda: _NO_FLOATS)

    def with_titles(self, titles: Iterable[str]) -> TitleIndex:
        """Return an index that knows these titles too; itself, if it knows them all."""
        wanted = dict.fromkeys(titles)
        new = [title for title in wanted if title not in self.masks]
        if not new:
            return self
        if self.masks and len(self.masks) + len(new) > MAX_TITLES:
            return TitleIndex().with_titles(wanted)
        masks = {title: mask_title(title) for title in new}
        fresh = [mask for mask in dict.fromkeys(masks.values()) if mask not in self.rows]
        return self._extended({**self.masks, **masks}, fresh)

    def _extended(self, masks: Mapping[str, str], fresh: Sequence[str]) -> TitleIndex:
        rows = {**self.rows, **{mask: len(self.rows) + at for at, mask in enumerate(fresh)}}
        found = [_trigrams_of(mask) for mask in fresh]
        keys = np.concatenate([_NO_INTS, *(keys for keys, _ in found)])
        pieces = _distinct(np.concatenate([self.pieces, keys]))
        moved = np.searchsorted(pieces, self.pieces)
        lengths = np.array([len(keys) for keys, _ in found], np.int64)
        return TitleIndex(
            masks=masks,
            rows=rows,
            pieces=pieces,
            begins=np.concatenate([self.begins, self.begins[-1] + np.cumsum(lengths)]),
            columns=np.concatenate([moved[self.columns], np.searchsorted(pieces, keys)]),
            counts=np.concatenate([self.counts, *(counts for _, counts in found)]),
        )


class TitleSimilarity:
    """The titles of one assessment, weighed against each other."""

    def __init__(self, titles: Sequence[str], index: TitleIndex | None = None) -> None:
        """Weigh the titles; results come in their order."""
        self._index = (index or TitleIndex()).with_titles(titles)
        masks = [self._index.masks[title] for title in titles]
        self._place = {mask: at for at, mask in enumerate(sorted(set(masks)))}
        self._of_title: Ints = np.array([self._place[mask] for mask in masks], np.int64)
        shape = (len(self._index.rows), len(self._index.pieces))
        known = csr_array((self._index.counts, self._index.columns, self._index.begins), shape)
        self._weights = known[[self._index.rows[mask] for mask in self._place]]
        common = np.bincount(self._weights.indices, minlength=shape[1])
        #: That of a piece which no title has comes last.
        self._rarity: Floats = 1 + np.log((1 + len(self._place)) / (1 + np.append(common, 0)))
        self._weights.data = self._weights.data * self._rarity[self._weights.indices]
        self._lengths: Floats = np.sqrt(self._weights.power(2).sum(axis=1))

    def mask_of(self, title: str) -> str:
        """Return the title, masked."""
        return self._index.masks.get(title) or mask_title(title)

    def scores_for(self, title: str) -> Floats:
        """Return how like each title is to this one, 0–1."""
        result: Floats = self.scores_for_each([title])[0]
        return result

    def scores_for_each(self, wanted: Sequence[str]) -> Floats:
        """Return how like each title (a column) is to each that is wanted (a row), 0–1."""
        if not wanted or not self._place:
            return np.zeros((len(wanted), len(self._of_title)))
        at_once = max(1, MAX_MATRIX_CELLS // (1 + len(self._index.pieces)))
        batches = (wanted[at : at + at_once] for at in range(0, len(wanted), at_once))
        return np.concatenate([self._scores_for_batch(batch) for batch in batches])

    def _scores_for_batch(self, wanted: Sequence[str]) -> Floats:
        queries = [self._query(self.mask_of(title)) for title in wanted]
        dots = self._weights @ np.stack([vector for vector, _ in queries], axis=1)
        lengths = np.outer(self._lengths, [length for _, length in queries])
        similarity = np.divide(dots, lengths, out=np.zeros(dots.shape), where=lengths > 0)
        for column, title in enumerate(wanted):
            same = self._place.get(self.mask_of(title))
            if same is not None:
                similarity[same, column] = 1.0
        result: Floats = np.clip(similarity, 0.0, 1.0).T[:, self._of_title]
        return result

    def _query(self, mask: str) -> tuple[Floats, float]:
        """Return the title's weights, by column, and their length."""
        keys, counts = _trigrams_of(mask)
        pieces = self._index.pieces
        at = np.searchsorted(pieces, keys)
        known = at < len(pieces)
        known[known] = pieces[at[known]] == keys[known]
        weights = counts * self._rarity[np.where(known, at, -1)]
        vector = np.zeros(len(pieces))
        vector[at[known]] = weights[known]
        return vector, float(np.sqrt((weights**2).sum()))


def _distinct(numbers: Ints) -> Ints:
    """Return each number once, in order. By sorting: many times faster here than numpy's own hashing."""
    ordered = np.sort(numbers)
    kept = np.ones(len(ordered), bool)
    kept[1:] = ordered[1:] != ordered[:-1]
    return ordered[kept]


def _trigrams_of(text: str) -> tuple[Ints, Floats]:
    """Return a text's three-letter pieces, each as one number, in order, and how often each comes."""
    if not text:
        return _NO_INTS, _NO_FLOATS
    letters = np.frombuffer(f" {text} ".encode("utf-32-le"), np.uint32).astype(np.int64)
    # 21 bits hold any code point, so 63 bits name a piece exactly.
    keys = (letters[:-2] << 42) | (letters[1:-1] << 21) | letters[2:]
    found, counts = np.unique(keys, return_counts=True)
    return found, counts.astype(np.float64)
