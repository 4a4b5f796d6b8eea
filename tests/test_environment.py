"""One environment for pip, conda and the project file."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "requirements.lock").read_text("utf-8")
FIXED = ("jupyterlab", "pandas", "statsmodels", "linearmodels", "seaborn", "papermill",
         "nbconvert", "pytest", "nbval")  # fmt: skip


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _locked() -> dict[str, str]:
    return {_normal(n): v for n, v in re.findall(r"^([\w.-]+)==([^\s;\\]+)", LOCK, re.MULTILINE)}


def _conda() -> tuple[dict[str, str], dict[str, str]]:
    document = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    plain = [item for item in document["dependencies"] if isinstance(item, str)]
    pip = next(item["pip"] for item in document["dependencies"] if isinstance(item, dict))
    conda = dict(item.split("=", 1) for item in plain if item != "pip")
    conda["brotli"] = conda.pop("brotli-python")
    return conda, dict(item.split("==", 1) for item in pip if "==" in item)


def test_every_pin_of_the_conda_file_is_that_of_the_lock() -> None:
    conda, pip = _conda()
    locked = _locked()
    assert conda.pop("python").startswith("3.")
    for name, version in {**conda, **pip}.items():
        assert locked[_normal(name)] == version, name
    assert set(FIXED) <= set(conda)


def test_the_conda_file_names_every_dependency_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = {
        _normal(re.split(r"[\[<>=]", item)[0])
        for item in [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    }
    conda, pip = _conda()
    assert wanted <= {_normal(name) for name in (*conda, *pip)}


def test_the_lock_is_hashed_and_holds_no_address() -> None:
    assert "://" not in LOCK
    assert "--index-url" not in LOCK
    blocks = re.split(r"\n(?=[A-Za-z])", LOCK.strip())
    assert len(blocks) > 100
    assert all("--hash=sha256:" in block for block in blocks)
