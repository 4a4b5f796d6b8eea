"""What can go wrong, one class a room.

EvidenceError
├── StudyError        a study file, a pack or a parameter
├── SourceError       a source record or a raw file
├── MeasureError      an answer or a unit that cannot be scored
├── PanelError        keys, time, levels of variation
├── ModelError        an estimate that the data or the design does not allow
├── FindingError      a claim without its estimate
├── ExhibitError      a figure or table without its data
├── NeckError         files between kernel and brief that break their schema
├── DisclosureError   something that must not leave
├── LanguageError     prose that no finding carries, or a missing message
├── RunError          a notebook that did not finish
└── BriefError        a page that cannot be made
"""

from __future__ import annotations


class EvidenceError(Exception):
    """Tell a person where, what was seen, what was expected, what to do.

    Parameters
    ----------
    where : str
        File and key, cell, column or row.
    seen, expected : str
        What stands there; what may stand there.
    do : str
        The next step, as a sentence.
    """

    def __init__(self, where: str, *, seen: str, expected: str, do: str) -> None:
        super().__init__(where, seen, expected, do)
        self.where = where
        self.seen = seen
        self.expected = expected
        self.do = do

    def __str__(self) -> str:
        return f"{self.where}: {self.seen}; expected {self.expected}. {self.do}"

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.where, self.seen, self.expected, self.do))


def _rebuild(
    kind: type[EvidenceError], where: str, seen: str, expected: str, do: str
) -> EvidenceError:
    return kind(where, seen=seen, expected=expected, do=do)


class StudyError(EvidenceError):
    """A study file, a pack or a parameter is wrong."""


class SourceError(EvidenceError):
    """A source record or a raw file is wrong."""


class MeasureError(EvidenceError):
    """An answer or a unit cannot be scored."""


class PanelError(EvidenceError):
    """Keys, time or levels of variation do not make a panel."""


class ModelError(EvidenceError):
    """The data or the design does not allow the estimate."""


class FindingError(EvidenceError):
    """A claim has no estimate to stand on."""


class ExhibitError(EvidenceError):
    """A figure or a table has no data or no known kind."""


class NeckError(EvidenceError):
    """A file between kernel and brief breaks its schema."""


class DisclosureError(EvidenceError):
    """Something would leave that must not leave."""


class LanguageError(EvidenceError):
    """Prose carries what no finding carries, or a message is missing."""


class RunError(EvidenceError):
    """A notebook did not run to its end."""


class BriefError(EvidenceError):
    """A page cannot be made."""
