"""The noun of the room: a checked study file with its cases."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from evidence.errors import StudyError
from evidence.packs import Words
from evidence.study.sections import (
    Brief,
    Claim,
    Data,
    Disclosure,
    Entry,
    Heading,
    Specification,
    Variable,
)
from evidence.toml import nearest


@dataclass(frozen=True, slots=True)
class Case:
    """One combination of the study's ``[cases]``; ``all`` where there are none.

    ``names`` are those of the packs that it combines, in the order of ``values``.
    """

    id: str
    values: dict[str, str]
    names: tuple[Words, ...]


@dataclass(frozen=True, slots=True)
class Study:
    """A checked study file.

    ``left_out`` lists the combinations of ``[cases]`` that the country packs do not
    hold; ``sha256`` is of the file and the packs that it names.
    """

    path: Path
    root: Path
    sha256: str
    heading: Heading
    data: Data
    variables: tuple[Variable, ...]
    specifications: tuple[Specification, ...]
    claims: tuple[Claim, ...]
    cases: tuple[Case, ...]
    left_out: tuple[str, ...]
    disclosure: Disclosure
    brief: Brief
    panel: Entry = field(default_factory=Entry)

    @property
    def slug(self) -> str:
        """The study's name in paths and placeholders."""
        return self.heading.slug

    @property
    def internal(self) -> Path:
        """Folder of results that may hold what must not leave."""
        return self.root / "reports" / "internal" / self.slug

    @property
    def public(self) -> Path:
        """Folder of cleared results."""
        return self.root / "reports" / "public" / self.slug

    @property
    def entity(self) -> Variable:
        """The variable that names who is observed."""
        return next(v for v in self.variables if v.role == "entity")

    @property
    def time(self) -> Variable:
        """The variable that says when."""
        return next(v for v in self.variables if v.role == "time")

    @property
    def notebooks(self) -> tuple[str, ...]:
        """Names of the notebooks that the specifications ask for, sorted."""
        return tuple(sorted({s.notebook for s in self.specifications}))

    def variable(self, name: str) -> Variable:
        """Return the declared variable of this name."""
        return next(v for v in self.variables if v.name == name)

    def specification(self, name: str) -> Specification:
        """Return the specification of this id.

        Raises
        ------
        StudyError
            Where the study has none of that id.
        """
        found = {spec.id: spec for spec in self.specifications}
        if name not in found:
            raise StudyError(
                self.path.name,
                seen=f"no specification '{name}'",
                expected=f"one of {', '.join(found)}",
                do=f"Add it to the study file{nearest(name, found)}.",
            )
        return found[name]
