"""Which notebooks cannot run here: those of studies whose data nobody has fetched."""

from pathlib import Path

from evidence.sources import list_unfetched
from evidence.study import list_slugs, load_study

ROOT = Path(__file__).parents[1]
studies = [load_study(ROOT / f"notebooks/studies/{slug}.toml") for slug in list_slugs(ROOT)]
collect_ignore = [
    f"{notebook}.ipynb"
    for study in studies
    if list_unfetched(ROOT, study.data.sources)
    for notebook in study.notebooks
]
