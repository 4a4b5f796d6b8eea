"""Differencing: no two releases may differ by a handful of protected units.

Whoever holds two results subtracts one from the other. Where the sets of units behind
them differ by fewer than the threshold, what is left belongs to those few. The rule binds
restricted data.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

from evidence.disclosure.key import find_key
from evidence.disclosure.releases import (
    Output,
    hash_units,
    list_checks,
    list_outputs,
    read_registers,
)
from evidence.errors import DisclosureError
from evidence.neck import Neck
from evidence.study import Study

_Group = tuple[Output, ...]


def check_differencing(neck: Neck, study: Study) -> None:
    """Check what a neck would release against itself and against every earlier release.

    Compared are outputs on one outcome of one kind of protected unit: sets of units, and
    a set with the union of disjoint sets of one table (a total less its parts). Two
    models of one release are not: nobody knows which units lack a control. Between
    releases they are: who joined is often known. What was released before, on the same
    units with the same rows, tells nothing new and passes; the same model of the same units of
    which a few have other rows (a late year, a corrected value) tells of those few.

    Raises
    ------
    DisclosureError
        Naming the output, the earlier edition and the remedy; or where the key of the
        register is not here.
    """
    if neck.protected["confidentiality"] != "restricted":
        return
    outputs, threshold = list_outputs(neck, study), study.disclosure.threshold
    _check_listed(outputs, study)
    alike = _by(outputs, lambda o: (o.outcome, o.statistic))
    for same in alike.values():
        _check_pairs(same, same, threshold)
        _check_unions(same, _by_group(same), threshold)
    registers = read_registers(study.root)
    released = [o for r in registers for o in r.outputs if o.units]
    outcomes = {(o.protected_unit, o.outcome) for o in outputs}
    earlier = tuple(o for o in released if (o.protected_unit, o.outcome) in outcomes)
    if earlier:
        key = find_key(study.root, list_checks(registers))
        _check_earlier(tuple(hash_units(o, key) for o in outputs), earlier, threshold)


def _check_earlier(outputs: _Group, earlier: _Group, threshold: int) -> None:
    _check_rows(outputs, earlier, threshold)
    known = {(o.outcome, o.statistic, o.units) for o in earlier}
    new = tuple(o for o in outputs if (o.outcome, o.statistic, o.units) not in known)
    past = _by(earlier, lambda o: o.outcome)
    for outcome, fresh in _by(new, lambda o: o.outcome).items():
        before = past.get(outcome, ())
        shown = tuple(o for o in outputs if o.outcome == outcome)
        _check_pairs(fresh, before, threshold)
        _check_unions(fresh, _by_group(before), threshold)
        _check_unions(before, [g for g in _by_group(shown) if set(g) & set(fresh)], threshold)


def _check_rows(outputs: _Group, earlier: _Group, threshold: int) -> None:
    """Refuse where the same units stand behind the same model, a few of them with other rows.

    A unit with other rows has one hash in each of the two sets.
    """
    past = _by(earlier, lambda o: (o.outcome, o.statistic))
    for output in outputs:
        for other in past.get((output.outcome, output.statistic), ()):
            told = output.rows and other.rows and output.units == other.units
            if told and 0 < len(output.rows - other.rows) < threshold:
                raise _difference(output, [other], threshold)


def _check_pairs(outputs: _Group, others: _Group, threshold: int) -> None:
    distinct = {other.units: other for other in reversed(others)}
    for output in outputs:
        for units, other in distinct.items():
            if 0 < len(output.units ^ units) < threshold:
                raise _difference(output, [other], threshold)


def _check_unions(totals: _Group, groups: Iterable[_Group], threshold: int) -> None:
    for group in groups:
        for total in totals:
            parts = [o for o in group if o.units != total.units]
            for chosen in (_cover(total, parts), _cover(total, parts[::-1])):
                together = frozenset[str]().union(*(part.units for part in chosen))
                few = 0 < len(total.units ^ together) < threshold
                if len(chosen) > 1 and few:
                    raise _difference(total, chosen, threshold)


def _cover(total: Output, parts: list[Output]) -> list[Output]:
    """Choose disjoint parts that together come nearest to a total.

    Of disjoint sets, the union nearest to a total is that of all sets of which more
    than half lies in it. Where sets overlap (a table with margins) the finest are taken,
    or the coarsest, in the order given.
    """
    chosen: list[Output] = []
    taken: frozenset[str] = frozenset()
    for part in parts:
        if 2 * len(part.units & total.units) > len(part.units) and not part.units & taken:
            chosen.append(part)
            taken |= part.units
    return chosen


def _by(outputs: Iterable[Output], key: Any) -> dict[Any, _Group]:
    ordered = sorted(outputs, key=key)
    return {name: tuple(group) for name, group in itertools.groupby(ordered, key)}


def _by_group(outputs: _Group) -> list[_Group]:
    """Group what stands beside each other in one release, smallest set first."""
    groups = _by(outputs, lambda o: (o.study, o.edition, o.group))
    return [tuple(sorted(group, key=lambda o: (o.n_units, o.id))) for group in groups.values()]


def _check_listed(outputs: _Group, study: Study) -> None:
    for output in outputs:
        if not output.units:
            raise DisclosureError(
                f"{study.slug}: {output.id}",
                seen=f"no list of the units ({output.protected_unit}) that it rests on",
                expected="one, so that it can be compared with earlier releases",
                do=f"Declare the column that names the {output.protected_unit} with role "
                "'entity' or 'cluster', and run the study again.",
            )


def _difference(output: Output, others: list[Output], threshold: int) -> DisclosureError:
    sides = ([output], others) if not output.edition else (others, [output])
    new, old = (" + ".join(o.id for o in side) for side in sides)
    first, other = sides[0][0], sides[1][0]
    place = f"edition {other.edition} of '{other.study}'" if other.edition else "this release"
    return DisclosureError(
        f"{first.study}: {first.id}",
        seen=f"fewer than {threshold} units ({output.protected_unit}) of difference between "
        f"{new} and {old} of {place}, on {output.outcome}",
        expected=f"the same units with the same rows, or {threshold} or more of difference",
        do="Hold newcomers, late rows and corrections back until there are enough of them and "
        "keep in those who left, or merge the case with another; nothing was published.",
    )
