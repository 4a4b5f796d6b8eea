"""Shared fixtures: results made in process, and no network but the loopback."""

from __future__ import annotations

import ipaddress
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evidence.exhibits import figure_coefficients, table_findings
from evidence.files import replace_file
from evidence.findings import state
from evidence.measures import score_measures
from evidence.models import Fit, fit_specifications
from evidence.neck import Neck, join_necks, read_neck, write_neck
from evidence.panel import build_panel
from evidence.run import Event, Job, Tell, plan_runs
from evidence.run.execute import as_json
from evidence.run.history import keep_run
from evidence.run.inputs import sha256
from evidence.run.joining import join_results
from evidence.sources import read_sources
from evidence.study import Study, list_slugs, load_study
from samples import address, speak

ROOT = Path(__file__).parents[1]
COPIED = (
    "notebooks",
    "data/sources",
    "data/countries",
    "data/sectors",
    "data/questionnaires",
    "data/laws",
    "data/events",
)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and not ipaddress.ip_address(address[0]).is_loopback:
            raise AssertionError(f"a test reached for the network: {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


def copy_project(target: Path, *, whole: bool = False) -> Path:
    """Copy what a project needs, without results; a single version of each brief, or the whole."""
    for name in COPIED:
        ignored = shutil.ignore_patterns(".ipynb_checkpoints")
        shutil.copytree(ROOT / name, target / name, ignore=ignored)
    if not whole:
        for slug in list_slugs(target):
            address(speak(target / "notebooks/studies" / f"{slug}.toml", "en"), "government")
    return target


def write_case(
    study: Study, number: int, output: str, change: Callable[[Fit], Fit] = lambda fit: fit
) -> Neck:
    """Do in process what a notebook does in its kernel; ``change`` alters what was fitted."""
    case = study.cases[number]
    panel = build_panel(study, score_measures(study, read_sources(study, case, 1)))
    fits = tuple(
        change(fitted)
        for notebook in study.notebooks
        for fitted in fit_specifications(panel, notebook, case=case.id)
    )
    findings = state(panel, fits)
    exhibits = (figure_coefficients(findings), table_findings(findings))
    write_neck(output, panel, fits, findings, exhibits)
    return read_neck(study.root / output)


def write_joined(study: Study, output: str) -> Neck:
    """Write the neck of a study's first case; give it as joined."""
    write_case(study, 0, output)
    return join_necks([study.root / output])


def execute_in_process(job: Job, tell: Tell) -> None:
    """Do what ``execute`` does, without a kernel: a job that comes to its end."""
    tell(Event(job, "start"))
    tell(Event(job, "cell", cell=1, of=1, section="Data"))
    number = job.study.cases.index(job.case)
    write_case(job.study, number, job.folder.relative_to(job.study.root).as_posix())
    files = sorted(path for path in job.folder.rglob("*") if path.is_file())
    document = {
        "notebook": job.notebook,
        "case": job.case.id,
        "parameters": job.parameters,
        "key": job.key,
        "parts": job.parts,
        "pieces": job.pieces,
        "why": job.why,
        "seconds": 0.0,
        "verdict": "complete",
        "cells": 1,
        "files": {p.relative_to(job.folder).as_posix(): sha256(p.read_bytes()) for p in files},
    }
    replace_file(job.folder / "run.json", as_json(document))


def finish(study: Study) -> None:
    """Finish a run in process, as ``run_study`` does with papermill: joined and kept."""
    jobs = plan_runs(study)
    for job in jobs:
        execute_in_process(job, lambda event: None)
    join_results(study, jobs, 1)
    keep_run(study)


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the root of a copy of the project."""
    return copy_project(tmp_path_factory.mktemp("project"), whole=True)


@pytest.fixture(scope="session")
def plants(project: Path) -> Study:
    """Return the study ``plants`` of the copy."""
    return load_study(project / "notebooks/studies/plants.toml")


@pytest.fixture(scope="session")
def plants_neck(plants: Study) -> Neck:
    """Return the neck of ``plants``."""
    return write_joined(plants, "reports/internal/plants/cases/all/plants")


@pytest.fixture(scope="session")
def chains(project: Path) -> Study:
    """Return the study ``value_chains`` of the copy."""
    return load_study(project / "notebooks/studies/value_chains.toml")


@pytest.fixture(scope="session")
def chains_neck(chains: Study) -> Neck:
    """Return the neck of all seven cases of ``value_chains``."""
    home = "reports/internal/value_chains/cases"
    folders = [f"{home}/{case.id}/value_chains" for case in chains.cases]
    for number, folder in enumerate(folders):
        write_case(chains, number, folder)
    return join_necks([chains.root / folder for folder in folders])


@pytest.fixture
def fresh_project(tmp_path: Path) -> Path:
    """Return the root of a copy that a test may change."""
    return copy_project(tmp_path / "a project")
