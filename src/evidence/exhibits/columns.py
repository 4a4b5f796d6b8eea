"""What the columns and checks of a notebook's tables say, for a reader who has never seen them."""

from __future__ import annotations

import pandas as pd

from evidence.study import Study, label_of, nouns_of

_SAID = {
    "25%": "a quarter of the values lie below it",
    "50%": "the middle value: half of the values lie below it",
    "75%": "three quarters of the values lie below it",
    "accounted_for": "what else the comparison takes into account",
    "added": "rows that the earlier copy did not have",
    "archived": "the day on which the file was put into the archive",
    "between": "how far the units' own means lie from each other, in the variable's unit",
    "case": "the country and sector, or 'all'",
    "certainty": "how far the finding carries: high, moderate, low, very low, or cannot tell",
    "change": "what changed, or by how much",
    "changed": "values that the latest copy revises",
    "check": "a test of the method itself",
    "claim": "the claim's name in the study file",
    "compared": "values that both copies have",
    "conf_high": "upper end of the interval in which the difference may lie",
    "conf_low": "lower end of the interval in which the difference may lie; where zero lies "
    "between the two ends, we cannot tell whether there is a difference",
    "confidentiality": "public, restricted or simulated",
    "count": "rows that have a value",
    "cov_type": "how the standard error is computed: CR1 lets the rows of a unit go together, wild "
    "and CR3 are for few units, HK is for averages over places, AKM for exposures made of shares; "
    "windmeijer is for dynamic panels; unadjusted takes every row for independent",
    "current": "the day of the latest copy",
    "dates_differ": "sources name different dates",
    "days": "days: from the last assessment to the archive, or how long findings lasted",
    "design": "what is compared with what",
    "df": "degrees of freedom of the test",
    "entered": "seen for the first time",
    "entities": "units that are followed, such as factories",
    "estimate": "how much the outcome differs where the term is greater by one, all else in the "
    "comparison alike; for a yes or no: with it instead of without",
    "file": "the file's name",
    "found": "what was found in the file rather than declared",
    "item": "the question of the questionnaire",
    "kind": "what kind of thing it is",
    "last_assessment": "the day of the last assessment in the file",
    "left": "never seen again; unknown in the last period",
    "licence": "under which terms the data may be used",
    "lost": "rows that the latest copy has no longer",
    "max": "the largest value",
    "mean": "the average",
    "min": "the smallest value",
    "n_clusters": "how many independent units the error counts",
    "n_entities": "units that are compared",
    "n_tests": "how many claims are tested together",
    "never_change": "units in which the variable is the same in every period",
    "nobs": "rows that were compared",
    "p_adjusted": "the p-value, raised for the number of tests made together",
    "p_value": "how often chance alone would give an estimate at least as far from zero, "
    "if there were no difference (0 to 1); 0.0000 is a number too small for so many digits",
    "placebo": "it never came into force, so nothing should be found",
    "places": "for how many places the date is; 0 means wherever the policy reaches",
    "present": "units seen in the period",
    "previous": "the day of the copy before",
    "producer": "who made the data",
    "question": "what was asked of the data",
    "reason": "why rows were left out, or why there is no number",
    "reasons": "why the certainty is what it is",
    "returned": "seen before, and not in the period before",
    "role": "headline: the main comparison; robustness: set beside it; placebo: should "
    "find nothing; replication: repeats a published table",
    "rows": "how many rows, one a unit and period unless the text says otherwise",
    "rows_before": "rows of the copy before",
    "rows_now": "rows of the latest copy",
    "seen": "what was seen",
    "sentence": "the finding, in words that its design has earned",
    "sha256": "the file's fingerprint, shortened: a changed file has another",
    "share": "a part of the whole, from 0 to 1",
    "since": "the period from which it is counted",
    "source": "where it comes from",
    "specification": "the comparison, by its name in the study file",
    "state": "good, look (a person should), or stop",
    "std": "standard deviation: how far values lie from their average",
    "std_error": "how far the estimate may be off by chance, typically",
    "step": "what was done, in order, with the rows left after it; of a policy, whether it was "
    "announced, adopted or in force",
    "table": "the table of the source",
    "term": "the variable whose difference is estimated; with a colon, how much the estimate of "
    "the first differs with the second",
    "time": "the period",
    "title": "what the data are",
    "unit": "the unit in which it is told",
    "up_to_here": "the shares of this line and of those above it together",
    "value": "the value",
    "variable": "the variable's name in the study file",
    "weight": "its part of the average, from 0 to 1",
    "within": "how far values lie from their own unit's mean, in the variable's unit",
    "within_share": "how much of the term's variation lies within units rather than between "
    "them, from 0 to 1",
}
"""Column of a frame → what it says; English, as notebooks are."""

_CHECKED = {
    "ar1": "whether errors of one period and the next are correlated; in changes they are",
    "ar2": "whether errors two periods apart are correlated; a small p-value speaks against it",
    "effective_clusters": "how many groups of equal weight would tell as much",
    "effective_shocks": "how many shocks of equal weight would tell as much",
    "hansen": "whether the instruments agree with each other; a small p-value says no",
    "heterogeneity": "whether all places are alike but for chance; a small p-value says no",
    "i2": "the part of all variance that differences between places make up, from 0 to 1",
    "n_entities": "units that are compared",
    "n_instruments": "how many instruments there are; many more than units would be too many",
    "prediction_high": "upper end of the range in which a further place is predicted to lie",
    "prediction_low": "lower end of the range in which a further place is predicted to lie",
    "pretrend": "whether the periods before differ; a small p-value says that they do",
    "sargan": "as hansen, where all errors vary alike",
    "tau2": "the variance between places that chance leaves",
    "weight_matrix": "how many instruments carry something of their own",
    "within_share": "how much of the term's variation the comparison uses, from 0 to 1",
}
"""Check of a specification → what it asks."""

_LANGUAGE = "en"
_ROLES = {
    "entity": "entity: who is followed",
    "time": "time: when",
    "outcome": "outcome: what is looked at",
    "exposure": "exposure: what it is set beside",
    "control": "control: taken into account",
    "cluster": "cluster: a group that they belong to",
}
_UNITS = {
    "identifier": "a name",
    "indicator": "yes (1) or no (0)",
    "share": "a share of one",
    "percent": "per cent, or percentage points",
    "log points": "a natural logarithm",
}


def explain_columns(frame: pd.DataFrame) -> dict[str, str]:
    """Say what the columns of a frame mean, its index first, then what its checks ask.

    Unknown ones are left out.
    """
    names = [*map(str, frame.index.names), *map(str, frame.columns)]
    said = {name: _SAID[name] for name in names if name in _SAID}
    if "check" not in frame.index.names:
        return said
    checks = (str(check).split()[0] for check in frame.index.get_level_values("check"))
    return said | {name: _CHECKED[name] for name in checks if name in _CHECKED}


def list_variables(study: Study) -> pd.DataFrame:
    """List what the names of a study's variables stand for, for the reader of a notebook.

    Returns
    -------
    DataFrame
        Index ``name``; columns ``meaning`` (the label that sentences use), ``part`` in the
        study, ``unit`` in which the variable is recorded. English, as notebooks are.
    """
    rows = [
        (
            variable.name,
            nouns_of(study, _LANGUAGE)[0]
            if variable.role == "entity"
            else label_of(study, _LANGUAGE, variable.name),
            _ROLES[variable.role],
            _UNITS.get(variable.unit, variable.unit),
        )
        for variable in study.variables
    ]
    return pd.DataFrame(rows, columns=["name", "meaning", "part", "unit"]).set_index("name")
