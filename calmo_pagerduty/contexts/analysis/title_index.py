"""Compare titles: TF-IDF vectors of character trigrams, cosine similarity.

- Term: three consecutive code points of the masked title, with a space at each end.
- tf: how often the trigram occurs in the title. idf: 1 + ln((1 + n) / (1 + df)), over the n distinct masked
  titles that are compared; df of them have the trigram. So an index may serve many incidents: its other
  titles never change a result.
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

from calmo_pagerduty.kernel.titles import mask_title

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

#: An index that would hold more titles starts anew.
MAX_TITLES = 60_000
#: A comparison holds at most so many numbers at a time: 32 MB.
MAX_MATRIX_CELLS = 4_000_000
_NO_INTS: Ints = np.empty(0, np.int64)
_NO_FLOATS: Floats = np.empty(0, np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class TitleIndex:
    """The trigram counts of titles, as a sparse matrix. Immutable, so threads may share it.

    `masks` maps titles to masked titles, `rows` distinct masked titles to their rows. `trigrams` are sorted
    by code points, so that a small and a large index add in the same order and give the same sums.
    """

    masks: Mapping[str, str] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    trigrams: Ints = field(default_factory=lambda: _NO_INTS)
    #: Row by row: which trigrams, and how often. `begins` has the end as its last element.
    begins: Ints = field(default_factory=lambda: np.zeros(1, np.int64))
    columns: Ints = field(default_factory=lambda: _NO_INTS)
    counts: Floats = field(default_factory=lambda: _NO_FLOATS)

    def with_titles(self, titles: Iterable[str]) -> TitleIndex:
        """Return an index with these titles too; itself, if it has them all."""
        distinct = dict.fromkeys(titles)
        new = [title for title in distinct if title not in self.masks]
        if not new:
            return self
        if self.masks and len(self.masks) + len(new) > MAX_TITLES:
            return TitleIndex().with_titles(distinct)
        masks = {title: mask_title(title) for title in new}
        fresh = [mask for mask in dict.fromkeys(masks.values()) if mask not in self.rows]
        return self._extended({**self.masks, **masks}, fresh)

    def _extended(self, masks: Mapping[str, str], fresh: Sequence[str]) -> TitleIndex:
        rows = {**self.rows, **{mask: len(self.rows) + at for at, mask in enumerate(fresh)}}
        counted = [_trigrams_of(mask) for mask in fresh]
        keys = np.concatenate([_NO_INTS, *(keys for keys, _ in counted)])
        trigrams = _distinct(np.concatenate([self.trigrams, keys]))
        moved_columns = np.searchsorted(trigrams, self.trigrams)
        lengths = np.array([len(keys) for keys, _ in counted], np.int64)
        return TitleIndex(
            masks=masks,
            rows=rows,
            trigrams=trigrams,
            begins=np.concatenate([self.begins, self.begins[-1] + np.cumsum(lengths)]),
            columns=np.concatenate([moved_columns[self.columns], np.searchsorted(trigrams, keys)]),
            counts=np.concatenate([self.counts, *(counts for _, counts in counted)]),
        )


class TitleSimilarity:
    """The TF-IDF vectors of one assessment's titles."""

    def __init__(self, titles: Sequence[str], index: TitleIndex | None = None) -> None:
        """Weigh the titles; results come in their order."""
        self._index = (index or TitleIndex()).with_titles(titles)
        masks = [self._index.masks[title] for title in titles]
        self._place = {mask: at for at, mask in enumerate(sorted(set(masks)))}
        self._of_title: Ints = np.array([self._place[mask] for mask in masks], np.int64)
        shape = (len(self._index.rows), len(self._index.trigrams))
        all_counts = csr_array((self._index.counts, self._index.columns, self._index.begins), shape)
        self._weights = all_counts[[self._index.rows[mask] for mask in self._place]]
        document_counts = np.bincount(self._weights.indices, minlength=shape[1])
        #: The last element is the idf of a trigram that no title has.
        self._rarity: Floats = 1 + np.log((1 + len(self._place)) / (1 + np.append(document_counts, 0)))
        self._weights.data = self._weights.data * self._rarity[self._weights.indices]
        self._lengths: Floats = np.sqrt(self._weights.power(2).sum(axis=1))

    def mask_of(self, title: str) -> str:
        """Return the title, masked."""
        return self._index.masks.get(title) or mask_title(title)

    def scores_for(self, title: str) -> Floats:
        """Return the similarity of each title to this one, 0–1, in the order of the titles."""
        result: Floats = self.scores_for_each([title])[0]
        return result

    def scores_for_each(self, queries: Sequence[str]) -> Floats:
        """Return the similarity of each title (a column) to each query (a row), 0–1."""
        if not queries or not self._place:
            return np.zeros((len(queries), len(self._of_title)))
        batch_size = max(1, MAX_MATRIX_CELLS // (1 + len(self._index.trigrams)))
        batches = (queries[at : at + batch_size] for at in range(0, len(queries), batch_size))
        return np.concatenate([self._scores_for_batch(batch) for batch in batches])

    def _scores_for_batch(self, queries: Sequence[str]) -> Floats:
        vectors = [self._query(self.mask_of(title)) for title in queries]
        dots = self._weights @ np.stack([vector for vector, _ in vectors], axis=1)
        lengths = np.outer(self._lengths, [length for _, length in vectors])
        similarity = np.divide(dots, lengths, out=np.zeros(dots.shape), where=lengths > 0)
        for column, title in enumerate(queries):
            same = self._place.get(self.mask_of(title))
            if same is not None:
                similarity[same, column] = 1.0
        result: Floats = np.clip(similarity, 0.0, 1.0).T[:, self._of_title]
        return result

    def _query(self, mask: str) -> tuple[Floats, float]:
        """Return the title's weights, by column, and the length of their vector."""
        keys, counts = _trigrams_of(mask)
        trigrams = self._index.trigrams
        at = np.searchsorted(trigrams, keys)
        is_known = at < len(trigrams)
        is_known[is_known] = trigrams[at[is_known]] == keys[is_known]
        weights = counts * self._rarity[np.where(is_known, at, -1)]
        vector = np.zeros(len(trigrams))
        vector[at[is_known]] = weights[is_known]
        return vector, float(np.sqrt((weights**2).sum()))


def _distinct(numbers: Ints) -> Ints:
    """Return each number once, sorted. Sorting is many times faster here than numpy's hashing."""
    ordered = np.sort(numbers)
    is_first = np.ones(len(ordered), bool)
    is_first[1:] = ordered[1:] != ordered[:-1]
    return ordered[is_first]


def _trigrams_of(text: str) -> tuple[Ints, Floats]:
    """Return a text's trigrams, each as a number, sorted, and how often each occurs."""
    if not text:
        return _NO_INTS, _NO_FLOATS
    letters = np.frombuffer(f" {text} ".encode("utf-32-le"), np.uint32).astype(np.int64)
    # 21 bits hold any code point, so 63 bits hold a trigram.
    keys = (letters[:-2] << 42) | (letters[1:-1] << 21) | letters[2:]
    trigrams, counts = np.unique(keys, return_counts=True)
    return trigrams, counts.astype(np.float64)
