"""Who reads Chinese reads it on every page, but for what catalog files say themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from urllib.parse import SplitResult, parse_qsl, urljoin, urlsplit

import pytest
from flask.testing import FlaskClient
from servers import ROOT

from portal.app import build
from portal.app.wsgi import create_app
from portal.config import load_settings

#: Keys, and the name of a part of the API.
SAID_SO = {"Ctrl K", "front end"}
#: What is no page, or tells what others say.
NOT_WALKED = ("/api/", "/language/", "/static/", "/catalog.csv", "/metrics")
#: Where something is asked for that is not there, or means nothing.
OF_FAULTS = (
    "/nothing-there",
    "/catalog/default/component/not-there",
    "/layers/default/not-there",
    "/problems?layer=not-there",
    "/problems?page=0",
    "/owners/component/default/lost",
    "/projects/default/not-there",
    "/graph?root=component:default/lost&kind=y",
    "/create/templates/default/not-there",
    "/create/tasks/not-there",
    "/catalog/default/component/lost/history?at=x",
    "/tools/api?part=x",
)
#: Of pages that are alike but for whom they are about, or what they filter by, so many are looked at.
_ALIKE = 2
_ENGLISH = re.compile(r"[A-Za-z]{2,}[.:;]? [A-Za-z]{2,}")
_REFERENCE = re.compile(r"[a-z]+:[\w.-]+/[\w.-]+")
_CHINESE = re.compile(r"[\u3400-\u9fff]")
#: What is wrong in this file is told on pages: of files, of rules, of owners.
WRONG = ("component/lost", "component/astray", "component/above", "dataset/unclear", "policy/excused", "project/alone")
FAULTY = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: lost, title: Lost}
spec: {type: service, lifecycle: production, owner: group:default/nobody, system: forecasting}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: astray}
spec: {type: service, lifecycle: production, owner: demand-forecast, layer: nowhere}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: above}
spec: {type: service, lifecycle: production, owner: demand-forecast, layer: shared,
       dependsOn: [component:forecast-service]}
---
apiVersion: portal/v1alpha1
kind: Dataset
metadata: {name: unclear}
spec: {type: table, lifecycle: production, owner: platform, layer: shared}
---
apiVersion: portal/v1alpha1
kind: Policy
metadata: {name: excused}
spec:
  owner: platform
  rule: portal/owner-exists
  severity: enforce
  exemptions:
    - {entity: component:default/lost, reason: Test, approver: group:default/devops, expires: "2020-01-01"}
    - {entity: component:default/gone, reason: Test, approver: group:default/devops, expires: "2999-01-01"}
---
apiVersion: portal/v1alpha1
kind: Policy
metadata: {name: unknown-rule}
spec: {owner: platform, rule: acme/not-there, severity: warn}
---
apiVersion: portal/v1alpha1
kind: Project
metadata: {name: alone}
spec: {owner: user:default/omar.haddad, lifecycle: production, goal: Test, layer: project, needs: [project-manager]}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: "not a name", tags: ["Not A Tag"]}
spec: {type: 1, lifecycle: production}
---
apiVersion: backstage.io/v1alpha1
kind: Componnt
metadata: {name: x}
---
apiVersion: backstage.io/v1alpha1
kind: Location
metadata: {name: leads}
spec: {targets: [./not-there.yaml, ../outside.yaml]}
---
a: 'b
"""


class _Texts(HTMLParser):
    """Collects what a page says, and where its links lead; what is code is nobody's sentence."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self.links: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in {"script", "style", "code", "pre"}
        told = dict(attrs)
        self.said += [told[name] or "" for name in ("title", "aria-label", "placeholder", "alt") if name in told]
        if tag == "a" and told.get("href"):
            self.links.append(told["href"] or "")

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in {"script", "style", "code", "pre"}

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.said.append(data)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """A reader of the shipped organisation with a faulty file beside it, as a survey has found it."""
    folder = tmp_path_factory.mktemp("chinese")
    (folder / "catalog-info.yaml").write_text(FAULTY, encoding="utf-8")
    with build(load_settings(environment={}, overrides={"data": str(folder / "data")})) as portal:
        portal.migrate()
        portal.ingest([("file", str(place / "catalog-info.yaml")) for place in (ROOT, folder)])
        portal.survey.take()
        yield create_app(portal).test_client()


def test_pages_say_nothing_of_their_own_in_english(client: FlaskClient) -> None:
    waiting = ["/", *(f"/catalog/default/{name}?view=problems" for name in WRONG)]
    seen = set(waiting)
    alike: dict[str, int] = {}
    english: dict[str, str] = {}
    while waiting:
        path = waiting.pop(0)
        page = page_of(client, path)
        english |= {text: path for text in map(plain, page.said) if is_english(text)}
        for link in page.links:
            parts = urlsplit(urljoin(f"http://localhost{path}", link))
            there = parts.path + (f"?{parts.query}" if parts.query else "")
            shape = shape_of(parts)
            if parts.netloc != "localhost" or there in seen or parts.path.startswith(NOT_WALKED):
                continue
            alike[shape] = alike.get(shape, 0) + 1
            if alike[shape] <= _ALIKE:
                seen.add(there)
                waiting.append(there)
    assert english == {}
    assert {"/problems", "/layers", "/kinds", "/tools/actions", "/projects", "/owners", "/create"} <= seen


def test_pages_of_faults_are_chinese_too(client: FlaskClient) -> None:
    said = {path: [text for text in map(plain, page_of(client, path).said) if is_english(text)] for path in OF_FAULTS}
    assert {path: texts for path, texts in said.items() if texts} == {}


def test_programs_are_told_in_english_whatever_they_read(client: FlaskClient) -> None:
    answer = client.get("/api/ownership/problems?rule=portal/owner-exists", headers={"Accept-Language": "zh"})
    (finding,) = answer.get_json()["findings"]
    assert finding["message"] == (
        "Its owner group:default/nobody is not in the catalog. "
        "Its exemption by group:default/devops ended on 2020-01-01."
    )
    told = client.get("/problems?rule=portal/owner-exists", headers={"Accept-Language": "zh"}).get_data(as_text=True)
    assert "其所有者 group:default/nobody 不在目录中。由 group:default/devops 批准的豁免已于 2020-01-01 到期。" in told


def page_of(client: FlaskClient, path: str) -> _Texts:
    answer = client.get(path, headers={"Accept-Language": "zh", "Accept": "text/html"})
    assert answer.status_code < 500, path
    page = _Texts()
    if answer.mimetype == "text/html":
        page.feed(answer.get_data(as_text=True))
    return page


def shape_of(parts: SplitResult) -> str:
    """Return what an address has in common with those of pages that are alike."""
    steps = parts.path.split("/")
    if "default" in steps:
        # The name comes after the namespace, in the catalog after the kind.
        steps[steps.index("default") + (2 if steps[1] == "catalog" else 1)] = "*"
    return f"{'/'.join(steps)}?{' '.join(sorted(dict(parse_qsl(parts.query))))}"


def plain(text: str) -> str:
    return " ".join(text.split())


@cache
def is_english(text: str) -> bool:
    """Return whether some part of a text is English, and neither a file's words nor said so everywhere."""
    parts = re.split(r"[/·()|+,\uff08\uff09]", _REFERENCE.sub("", text))
    return any(
        _ENGLISH.search(part) and not _CHINESE.search(part) and plain(part) not in SAID_SO and not _is_of_files(part)
        for part in parts
    )


def _is_of_files(text: str) -> bool:
    return f" {_words(text)} " in _words_of_files()


@cache
def _words_of_files() -> str:
    folders = ("catalog", "scaffolder_templates")
    paths = [ROOT / "catalog-info.yaml", *(path for name in folders for path in (ROOT / name).rglob("*.y*ml"))]
    texts = [path.read_text(encoding="utf-8") for path in sorted(paths)]
    return f" {_words(' '.join((*texts, FAULTY)))} "


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text))
