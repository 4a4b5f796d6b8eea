"""Units beside their peers: who did better in the first half of the periods than units alike.

``below_peers_x`` and ``above_peers_x`` follow from a variable's name. The first half of the
periods tells who is ahead, and the flag has a value in the second half only: what is compared
with it comes later, so that the chance of the earlier years is not taken for practice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from evidence.errors import MeasureError
from evidence.study import Study

PEERS = 5
"""Peers of each unit."""

_SIGNS = {"below_peers_": -1.0, "above_peers_": 1.0}
_PLACES = frozenset({"sector", "country"})


@dataclass(frozen=True, slots=True)
class _Early:
    """First half of the periods: means of a variable and of traits, a row a unit."""

    values: pd.Series
    traits: pd.DataFrame
    places: pd.Series
    sign: float


def match_peers(traits: pd.DataFrame, places: pd.Series, *, peers: int = PEERS) -> pd.DataFrame:
    """Match each unit with its nearest peers of the same place, by standardised traits.

    Parameters
    ----------
    traits : DataFrame (n × K)
        Numbers, a row a unit, none missing. Each is divided by its standard deviation over
        all units; the distance is Euclidean.
    places : Series (n,)
        Peers are sought among units with the same value.
    peers : int
        How many. A unit may be the peer of several.

    Returns
    -------
    DataFrame
        Index: the units whose place holds more than ``peers``, sorted; a column a peer, the nearest
        first, with its name.
    """
    spread = traits.std(ddof=0)
    scaled = traits / spread.where(spread > 0, 1.0)
    found = []
    for _, inside in scaled.groupby(places):
        if len(inside) <= peers:
            continue
        own = np.arange(len(inside))[:, None]
        _, near = cKDTree(inside.to_numpy()).query(inside.to_numpy(), k=peers + 1)
        order = np.argsort(near == own, axis=1, kind="stable")[:, :peers]
        names = inside.index.to_numpy()[np.take_along_axis(near, order, axis=1)]
        found.append(pd.DataFrame(names, index=inside.index))
    return pd.concat(found).sort_index() if found else pd.DataFrame(index=traits.index[:0])


def flag_peers(name: str, data: pd.DataFrame, study: Study) -> pd.Series | None:
    """Flag who was ahead of its peers in the first half of the periods, for the second half.

    A unit is ahead where its mean of the variable lies further from its peers' than the
    standard deviation of all such distances. Peers are of the same country and sector (the
    study's cluster variables of these levels) and nearest in its controls of the entity's
    own level.

    Returns
    -------
    Series or None
        1, 0, or missing: in the first half, and for units without peers. None where ``name``
        is no such measure.

    Raises
    ------
    MeasureError
        Where the study declares no trait to match on.
    """
    early = _read_early(name, data, study)
    if early is None:
        return None
    peers = match_peers(early.traits, early.places)
    ahead = early.sign * (early.values.reindex(peers.index) - _mean_of(early.values, peers))
    flag = data[study.entity.name].map((ahead > ahead.std()).astype("float64"))
    return flag.where(~_is_early(data, study))


def compare_peers(
    study: Study, data: pd.DataFrame, flag: str, values: tuple[str, ...]
) -> pd.DataFrame:
    """Compare those who are ahead with their peers, in both halves of the periods.

    Read the traits first: where they lie apart, the peers are none. Then the variable that
    the flag is made from: what is left of its difference in the second half is no chance.

    Parameters
    ----------
    data : DataFrame
        Rows of ``Measures.data``.
    flag : str
        A measure such as ``below_peers_violations``.
    values : tuple of str
        Variables to compare beside the traits.

    Returns
    -------
    DataFrame
        A row a trait and variable; for ``first`` and ``second`` half the means of those
        ``ahead``, of their ``peers`` and of ``all`` units. No unit is named.

    Raises
    ------
    MeasureError
        Where ``flag`` is no such measure, or no trait is declared.
    """
    early, flags = _read_early(flag, data, study), flag_peers(flag, data, study)
    if early is None or flags is None:
        raise MeasureError(
            f"compare_peers: '{flag}'",
            seen="no measure of units beside their peers",
            expected=" or ".join(f"{prefix}<variable>" for prefix in _SIGNS),
            do="Name one that the study declares.",
        )
    units = data[study.entity.name]
    peers = match_peers(early.traits, early.places)
    ahead = peers.loc[peers.index.isin(units[flags == 1])]
    columns = [*early.traits, *values]
    halves = {}
    for half, rows in {"first": _is_early(data, study), "second": ~_is_early(data, study)}.items():
        means = data.loc[rows, columns].groupby(units[rows]).mean()
        halves[half] = pd.DataFrame(
            {
                "ahead": means.reindex(ahead.index).mean(),
                "peers": pd.Series({c: _mean_of(means[c], ahead).mean() for c in columns}),
                "all": means.mean(),
            }
        )
    return pd.concat(halves, axis=1)


def _mean_of(values: pd.Series, peers: pd.DataFrame) -> pd.Series:
    """Take the mean of each unit's peers, of those that have a value."""
    drawn = [values.reindex(peers[column]).to_numpy() for column in peers]
    return pd.DataFrame(drawn, columns=peers.index).mean()


def _is_early(data: pd.DataFrame, study: Study) -> pd.Series:
    times = np.sort(data[study.time.name].unique())
    return data[study.time.name].isin(times[: len(times) // 2])


def _read_early(name: str, data: pd.DataFrame, study: Study) -> _Early | None:
    prefix = next((p for p in _SIGNS if name.startswith(p)), "")
    base = name.removeprefix(prefix)
    if not prefix or base not in data:
        return None
    controls = [v for v in study.variables if v.role == "control"]
    traits = [v.name for v in controls if v.level == study.entity.level]
    if not traits or not set(traits) <= set(data.columns):
        raise MeasureError(
            f"{study.path.name}: variable '{name}'",
            seen=f"traits {', '.join(t for t in traits if t in data) or 'none'}",
            expected=f"variables with role 'control' and level '{study.entity.level}', above it",
            do="Declare the traits by which peers are found before this variable.",
        )
    places = [v.name for v in study.variables if v.role == "cluster" and v.level in _PLACES]
    rows = data[_is_early(data, study)]
    groups = rows.groupby(study.entity.name)
    means = groups[list(dict.fromkeys([base, *traits]))].mean().dropna()
    first = groups[places].first().loc[means.index]
    place = first.astype(str).agg("·".join, axis=1) if places else pd.Series("", index=means.index)
    return _Early(means[base], means[traits], place, _SIGNS[prefix])
