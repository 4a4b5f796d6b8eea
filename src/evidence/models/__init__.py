"""A panel and a specification become a ``Fit``: estimates with their inference."""

from __future__ import annotations

from evidence.models.bearing import list_bearing, list_cells
from evidence.models.checks.diagnostics import (
    AttritionWeights,
    Bounds,
    Influence,
    assess_missingness,
    assess_power,
    bound_attrition,
    find_detectable,
    measure_collinearity,
    measure_influence,
    measure_overlap,
    plan_std_error,
    weigh_attrition,
)
from evidence.models.checks.families import (
    adjust_p_values,
    index_outcomes,
    step_down,
    weigh_outcomes,
)
from evidence.models.checks.formula import Formula, parse_formula
from evidence.models.checks.randomisation import (
    Randomised,
    RandomisedInterval,
    invert_test,
    randomise,
)
from evidence.models.design import (
    CONF_LEVEL,
    Design,
    Diagnostic,
    Estimates,
    tabulate_estimates,
)
from evidence.models.designs.adoption import estimate_adoption, find_cohorts, list_effects
from evidence.models.designs.counts import estimate_fractional, estimate_poisson
from evidence.models.designs.cutoff import balance_at_cutoff, estimate_cutoff
from evidence.models.designs.durations import (
    Spells,
    estimate_cox,
    estimate_interval_censored,
    estimate_survival,
    make_spells,
)
from evidence.models.designs.dynamic import estimate_dynamic
from evidence.models.designs.instruments import estimate_iv
from evidence.models.designs.linear import (
    estimate_between,
    estimate_first_differences,
    estimate_mundlak,
    estimate_random_effects,
)
from evidence.models.designs.pooling import (
    CELL,
    FURTHER,
    Pooled,
    estimate_pooled_cells,
    pool_effects,
)
from evidence.models.designs.sensitivity import Sensitivity, bound_violations, decompose_twfe
from evidence.models.designs.shift_share import estimate_shift_share
from evidence.models.few_clusters import FEW_CARRIERS, FEW_CLUSTERS
from evidence.models.fit import (
    COLUMNS,
    Fit,
    fit,
    fit_specifications,
    list_diagnostics,
    list_estimates,
)
from evidence.models.kernel.bootstrap import Bootstrapped, bootstrap_wild, draw_statistics
from evidence.models.kernel.clusters import (
    ClusterMoments,
    collect_moments,
    count_effective,
    jackknife,
)
from evidence.models.kernel.curve import Curve, draw_curve, leave_out
from evidence.models.kernel.least_squares import estimate_least_squares
from evidence.models.kernel.streaming import estimate_streamed
from evidence.models.level import guard_level, list_adopters, list_behind
from evidence.models.recurrence import link_findings, list_lasting
from evidence.models.trends import bound_trends

__all__ = [
    "CELL",
    "COLUMNS",
    "CONF_LEVEL",
    "FEW_CARRIERS",
    "FEW_CLUSTERS",
    "FURTHER",
    "AttritionWeights",
    "Bootstrapped",
    "Bounds",
    "ClusterMoments",
    "Curve",
    "Design",
    "Diagnostic",
    "Estimates",
    "Fit",
    "Formula",
    "Influence",
    "Pooled",
    "Randomised",
    "RandomisedInterval",
    "Sensitivity",
    "Spells",
    "adjust_p_values",
    "assess_missingness",
    "assess_power",
    "balance_at_cutoff",
    "bootstrap_wild",
    "bound_attrition",
    "bound_trends",
    "bound_violations",
    "collect_moments",
    "count_effective",
    "decompose_twfe",
    "draw_curve",
    "draw_statistics",
    "estimate_adoption",
    "estimate_between",
    "estimate_cox",
    "estimate_cutoff",
    "estimate_dynamic",
    "estimate_first_differences",
    "estimate_fractional",
    "estimate_interval_censored",
    "estimate_iv",
    "estimate_least_squares",
    "estimate_mundlak",
    "estimate_poisson",
    "estimate_pooled_cells",
    "estimate_random_effects",
    "estimate_shift_share",
    "estimate_streamed",
    "estimate_survival",
    "find_cohorts",
    "find_detectable",
    "fit",
    "fit_specifications",
    "guard_level",
    "index_outcomes",
    "invert_test",
    "jackknife",
    "leave_out",
    "link_findings",
    "list_adopters",
    "list_bearing",
    "list_behind",
    "list_cells",
    "list_diagnostics",
    "list_effects",
    "list_estimates",
    "list_lasting",
    "make_spells",
    "measure_collinearity",
    "measure_influence",
    "measure_overlap",
    "parse_formula",
    "plan_std_error",
    "pool_effects",
    "randomise",
    "step_down",
    "tabulate_estimates",
    "weigh_attrition",
    "weigh_outcomes",
]
