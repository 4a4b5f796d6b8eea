"""nbconvert's door: ``jupyter nbconvert --to brief`` on an executed notebook."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.exporters.exporter import Exporter
from nbconvert.exporters.templateexporter import TemplateExporter
from traitlets import Unicode, default

from evidence.brief.checks import check_text
from evidence.brief.evidence import draw_pictures
from evidence.brief.fonts import embed_fonts, gather_text
from evidence.brief.front_matter import add_citation
from evidence.brief.imprint import DRAFT, Imprint, word_imprint, word_withdrawal
from evidence.brief.model import compose
from evidence.brief.pdf import typeset
from evidence.brief.replies import add_replies
from evidence.brief.tongues import add_foreign, split_runs
from evidence.brief.versions import NO_LINKS
from evidence.brief.word import write_word
from evidence.disclosure import Cleared, Edition, clear, scan_bytes
from evidence.errors import BriefError
from evidence.language import capitalise, say
from evidence.neck import read_neck
from evidence.run import find_fresh
from evidence.study import Study, find_root, load_study

_STUDIES = Path("notebooks") / "studies"
TEMPLATES = Path(__file__).parents[1] / "templates"
_ENVIRONMENTS: dict[tuple[str, ...], Any] = {}
"""Compiled templates by where they lie: each page has an exporter of its own."""


class BriefExporter(TemplateExporter):
    """Export the brief of the run that a notebook belongs to.

    The notebook's own cells are not read: only what is cleared of its neck is shown.
    """

    export_from_notebook = "Policy brief"
    output_mimetype = "text/html"
    language = Unicode(help="Language of the brief; empty is the study's first.").tag(config=True)
    audience = Unicode(help="Reader of the brief; empty is the study's first.").tag(config=True)

    @default("file_extension")
    def _file_extension_default(self) -> str:
        return ".html"

    @default("template_name")
    def _template_name_default(self) -> str:
        return "brief"

    @default("extra_template_basedirs")
    def _extra_template_basedirs_default(self) -> list[str]:
        return [str(TEMPLATES)]

    def _create_environment(self) -> Any:
        paths = tuple(self.template_paths)
        if paths not in _ENVIRONMENTS:
            environment = super()._create_environment()
            environment.autoescape = True
            environment.filters["runs"] = split_runs
            _ENVIRONMENTS[paths] = environment
        return _ENVIRONMENTS[paths]

    def from_notebook_node(
        self, nb: Any, resources: Any = None, **kw: Any
    ) -> tuple[str, dict[str, Any]]:
        """Clear the notebook's neck and write the page.

        Raises
        ------
        BriefError
            Where the notebook is no record of a run.
        RunError
            Where an input or the result has changed since.
        DisclosureError
            Where the gate refuses.
        """
        folder = Path((resources or {}).get("metadata", {}).get("path") or ".")
        cleared = _clear_notebook(nb, folder)
        language = self.language or cleared.study.brief.languages[0]
        return self.from_cleared(cleared, language, self.audience, resources)

    def from_cleared(
        self,
        cleared: Cleared,
        language: str,
        audience: str = "",
        resources: Any = None,
        *,
        imprint: Imprint = DRAFT,
        links: Mapping[str, Any] = NO_LINKS,
    ) -> tuple[str, dict[str, Any]]:
        """Write the page of a cleared neck, scanned byte by byte; a draft unless told.

        Parameters
        ----------
        links : mapping
            What lies beside the page, as ``link_versions`` tells it.

        Raises
        ------
        DisclosureError
            Where an identifier or a path stands in the page.
        """
        model = {**word_model(cleared, language, audience, imprint), **links}
        page, made = self._render(model, resources)
        scan_bytes(page.encode("utf-8"), cleared, f"brief.{language}.html")
        return page, made

    def from_withdrawal(self, study: Study, edition: Edition, language: str) -> tuple[str, Any]:
        """Write the notice in the place of a withdrawn edition: no word of the edition's own.

        Title and question may be what it was withdrawn for, and no neck is left to scan
        them with: the notice goes by the study's name in paths.
        """
        words = {"skip": say(language, "brief.skip")}
        model = {
            "slug": study.slug,
            "language": language,
            "kicker": say(language, "brief.kicker"),
            "title": capitalise(study.slug.replace("_", " ")),
            "question": "",
            "simulated": False,
            "bands": [],
            "audience": "",
            "sections": [],
            "topics": {"countries": [], "sectors": [], "sdg": []},
            "code": {},
            "foreign": {},
            **NO_LINKS,
            "grade": "",
            "words": words,
            **word_withdrawal(edition, language),
        }
        return self._render(model, None)

    def _render(self, model: dict[str, Any], resources: Any) -> tuple[str, dict[str, Any]]:
        css = _style(model)
        digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
        shared = {**(resources or {}), "brief": model, "css": css, "css_hash": digest}
        page, made = super().from_notebook_node(nbformat.v4.new_notebook(), shared)
        return page, made


class _FileExporter(Exporter):
    """What the exporters of files share: a run's brief, cleared, written, scanned, a draft."""

    language = Unicode(help="Language of the brief; empty is the study's first.").tag(config=True)
    audience = Unicode(help="Reader of the brief; empty is the study's first.").tag(config=True)
    ending = ""

    @default("file_extension")
    def _file_extension_default(self) -> str:
        return self.ending

    def from_notebook_node(
        self, nb: Any, resources: Any = None, **kw: Any
    ) -> tuple[bytes, dict[str, Any]]:
        """Clear the notebook's neck and write the file.

        Raises
        ------
        BriefError
            Where the notebook is no record of a run, a text cannot be set, or what writes the
            format is not installed.
        RunError
            Where an input or the result has changed since.
        DisclosureError
            Where the gate refuses.
        """
        given = resources or {}
        cleared = _clear_notebook(nb, Path(given.get("metadata", {}).get("path") or "."))
        language = self.language or cleared.study.brief.languages[0]
        model = word_model(cleared, language, self.audience, DRAFT)
        payload = _WRITERS[self.ending](cleared, model)
        scan_bytes(payload, cleared, f"brief.{language}{self.ending}")
        return payload, {**given, "brief": model, "output_extension": self.ending}


class BriefPdfExporter(_FileExporter):
    """Export the brief of the run that a notebook belongs to as a PDF, a draft."""

    export_from_notebook = "Policy brief (PDF)"
    output_mimetype = "application/pdf"
    ending = ".pdf"


class BriefDocxExporter(_FileExporter):
    """Export the brief of the run that a notebook belongs to as a Word document, a draft."""

    export_from_notebook = "Policy brief (Word)"
    output_mimetype = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    ending = ".docx"


def write_document(cleared: Cleared, model: dict[str, Any]) -> bytes:
    """Write the Word document of a model, with its figures as PNG."""
    return write_word(model, draw_pictures(cleared, model))


_WRITERS: dict[str, Callable[[Cleared, dict[str, Any]], bytes]] = {
    ".pdf": lambda _, model: typeset(model),
    ".docx": write_document,
}


def word_model(cleared: Cleared, language: str, audience: str, imprint: Imprint) -> dict[str, Any]:
    """Compose a brief, word its imprint, add the replies: the model that every format sets."""
    model = {**compose(cleared, language, audience), **word_imprint(imprint, language)}
    return add_foreign(add_replies(add_citation(model, cleared.study), cleared), cleared, imprint)


def _clear_notebook(notebook: Any, folder: Path) -> Cleared:
    identity = notebook.metadata.get("evidence")
    keys = ("study", "case", "notebook")
    if not isinstance(identity, dict) or not all(isinstance(identity.get(k), str) for k in keys):
        raise BriefError(
            "notebook",
            seen="no metadata 'evidence' with study, case and notebook",
            expected="a notebook that evidence has executed",
            do="Run the study, then convert the notebook that lies under "
            "reports/internal/<slug>/cases/; or call evidence brief.",
        )
    study = load_study(
        find_root(folder.resolve(), Path.cwd()) / _STUDIES / f"{identity['study']}.toml"
    )
    check_text(study)
    job = find_fresh(study, identity["case"], identity["notebook"])
    return clear(read_neck(job.folder), study)


def _style(model: dict[str, Any]) -> str:
    rules = (TEMPLATES / "brief" / "brief.css").read_text(encoding="utf-8")
    return f"{embed_fonts(gather_text(model), model['language'])}\n{rules}"
