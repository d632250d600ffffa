"""Reorganisations end to end: real repositories, diffs of the intended lines alone, a branch with one commit each."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from catalogs import component, documents, entity
from portals import Catalog
from repositories import MakeRepository, Repository
from sqlalchemy import event

from portal.defaults.kinds import all_kinds
from portal.errors import ConflictError, InputError
from portal.model.ref import EntityRef
from portal.providers.folder import FolderProvider
from portal.providers.git import GitProvider
from portal.services.kinds import KindsService
from portal.services.ownership import OwnershipService
from portal.services.reorg import Author, ReorganisationService
from portal.vcs.mirror import Mirrors
from portal.vcs.policy import RemotePolicy
from portal.vcs.proposal import Proposals

TEAMS = """\
# Our teams.
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: top}
spec:
  type: team
  children: [data] # all of them
---
# The team that is split.
apiVersion: backstage.io/v1alpha1
kind: Group
metadata:
  name: data   # Größe: 3
spec:
  type: team
  parent: top
  children: []
  roles: [engineer]
---
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: ann}
spec:
  memberOf:
    - data        # since 2020
---
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: bob}
spec: {memberOf: ['data']}
---
apiVersion: portal/v1alpha1
kind: Role
metadata: {name: engineer}
spec: {}
---
apiVersion: portal/v1alpha1
kind: Layer
metadata: {name: low}
spec: {rank: 1, owner: top, ownerRoles: [engineer]}
"""
ASSETS = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
    name:   loader
spec:
    type: service
    lifecycle: production
    layer: low
    owner:   "data"   # who else
    stewards:
    -   {ref: data, duty: checks}   # the checks
    description: >
        A long text:   with   blanks.

"""
PLAN = """\
reorganisation: split-data
reason: Two jobs.
groups:
  create:
    - {ref: ingest, parent: top, roles: [engineer]}
    - {ref: serving, parent: top}
  close:
    - {ref: data, heir: serving}
assets:
  - {from: data, to: ingest, refs: ["component:loader"]}
users:
  - {ref: ann, from: data, to: ingest}
"""


@pytest.fixture
def service(catalog: Catalog, tmp_path: Path) -> ReorganisationService:
    policy = RemotePolicy(allowed_schemes=frozenset(), file_roots=(tmp_path,))
    kinds = KindsService(catalog.database, all_kinds())
    return ReorganisationService(
        catalog.database,
        OwnershipService(catalog.database, kinds),
        kinds,
        providers={"git": GitProvider(Mirrors(tmp_path / "mirrors", policy)), "folder": FolderProvider()},
        proposals=Proposals(policy),
    )


@pytest.fixture
def bare(tmp_path: Path, repo: MakeRepository, catalog: Catalog) -> tuple[Repository, Repository]:
    """Two bare remotes that are registered, with clones to look at what they received."""
    made = []
    for name, files in (
        ("teams", {"catalog-info.yaml": TEAMS, "README.md": "hello"}),
        ("assets", {"catalog-info.yaml": documents(ASSETS, component("user", owner="data")).replace("\n", "\r\n")}),
    ):
        source = repo(files, name=name)
        source.git("clone", "--quiet", "--bare", str(source.path), str(tmp_path / f"{name}.git"))
        source.git("remote", "add", "bare", str(tmp_path / f"{name}.git"))
        catalog.ingest((tmp_path / f"{name}.git").as_uri())
        made.append(source)
    return made[0], made[1]


def test_conditions_of_policies_are_asked_of_what_documents_will_say(
    service: ReorganisationService, bare: tuple[Repository, Repository], catalog: Catalog, repo: MakeRepository
) -> None:
    says = "entity.kind != 'Component' || entity.spec.owner == 'data' || entity.spec.owner == 'serving'"
    rule = "rule: acme/known-hands, explanation: Known hands., fix: Give it to them., kinds: [Component]"
    spec = f'{{owner: top, {rule}, expression: "{says}"}}'
    policy = f"apiVersion: portal/v1alpha1\nkind: Policy\nmetadata: {{name: hands}}\nspec: {spec}\n"
    catalog.ingest(repo({"catalog-info.yaml": policy}, name="policies").url)

    broken = service.preview(PLAN.encode(), location="plan.yaml").effects.broken

    assert ("acme/known-hands", "component:default/loader") in [(finding.rule, finding.ref) for finding in broken]
    assert all(finding.ref != "component:default/user" for finding in broken if finding.rule == "acme/known-hands")


def test_a_preview_tells_changes_rules_teams_and_diffs(
    service: ReorganisationService, bare: tuple[Repository, Repository]
) -> None:
    found = service.preview(PLAN.encode(), location="plan.yaml")

    assert found.moved == {
        (EntityRef("group:default/data"), EntityRef("group:default/ingest")): 1,
        (EntityRef("group:default/data"), EntityRef("group:default/serving")): 1,
    }
    assert found.effects.broken == []
    assert [file.path for file in found.files] == ["catalog-info.yaml"] * 2
    assert [file.refusal for file in found.files] == ["", ""]
    lines = [line for file in found.files for line in file.diff.splitlines() if line[:1] in "+-"]
    assert lines == [
        "--- a/catalog-info.yaml",
        "+++ b/catalog-info.yaml",
        '-    owner:   "data"   # who else',
        '+    owner:   "ingest"   # who else',
        "-    -   {ref: data, duty: checks}   # the checks",
        "+    -   {ref: ingest, duty: checks}   # the checks",
        "-spec: {type: service, lifecycle: production, owner: data}",
        "+spec: {type: service, lifecycle: production, owner: serving}",
        "--- a/catalog-info.yaml",
        "+++ b/catalog-info.yaml",
        "-  children: [data] # all of them",
        "+  children: [ingest, serving] # all of them",
        "-# The team that is split.",
        "-  name: data   # Größe: 3",
        "+  name: ingest",
        "-  roles: [engineer]",
        "+  roles:",
        "+  - engineer",
        "+---",
        "+apiVersion: backstage.io/v1alpha1",
        "+kind: Group",
        "+metadata:",
        "+  name: serving",
        "+spec:",
        "+  type: team",
        "+  parent: top",
        "+  children: []",
        "-    - data        # since 2020",
        "+    - ingest        # since 2020",
        "-spec: {memberOf: ['data']}",
        "+spec: {memberOf: ['serving']}",
    ]
    answer = found.to_json()
    assert answer["branch"] == "portal/reorg-split-data"
    assert answer["created"] == ["group:default/ingest", "group:default/serving"]
    assert {"ref": "user:default/ann", "field": "spec.memberOf.0", "old": "data", "new": "ingest"} in answer["changes"]


def test_the_change_is_one_commit_on_a_branch_of_each_repository(
    service: ReorganisationService, bare: tuple[Repository, Repository], catalog: Catalog, tmp_path: Path
) -> None:
    heads = [source.git("rev-parse", "HEAD") for source in bare]
    preview = service.preview(PLAN.encode(), location="plan.yaml")

    written = service.write(preview, author=Author("Olga Org", "olga@example.com"))

    assert [item.repository.rpartition("/")[2] for item in written] == ["assets.git", "teams.git"]
    for source, head, commit in zip(bare, heads, [written[1].commit, written[0].commit], strict=True):
        source.git("fetch", "--quiet", "bare")
        assert source.git("rev-parse", "bare/main") == head
        assert source.git("rev-parse", "bare/portal/reorg-split-data") == commit
        assert source.git("rev-list", f"{head}..{commit}") == commit
        assert source.git("rev-parse", f"{commit}^") == head
        assert source.git("diff", "--name-only", head, commit) == "catalog-info.yaml"
        assert source.git("show", "--no-patch", "--format=%an <%ae>", commit) == "Olga Org <olga@example.com>"
        message = source.git("show", "--no-patch", "--format=%B", commit)
        assert message.startswith("reorganisation: split-data\n\nTwo jobs.\n\n- group:default/ingest begins\n")
    assert bare[0].git("show", f"{written[1].commit}:README.md") == "hello"
    assets = subprocess.run(
        ["git", "show", f"{written[0].commit}:catalog-info.yaml"], cwd=bare[1].path, capture_output=True, check=True
    ).stdout
    assert assets == preview.files[0].content
    assert assets.count(b"\r\n") == assets.count(b"\n")


def test_the_branches_hold_the_organisation_that_was_told(
    service: ReorganisationService, bare: tuple[Repository, Repository], catalog: Catalog, tmp_path: Path
) -> None:
    preview = service.preview(PLAN.replace(", roles: [engineer]", "").encode(), location="plan.yaml")
    ownership = OwnershipService(catalog.database, KindsService(catalog.database, all_kinds()))
    before = ownership.findings()
    service.write(preview)
    catalog.service.remove([source.id for source in catalog.sources.list()])

    report = catalog.ingest(
        *(f"{(tmp_path / f'{name}.git').as_uri()}#portal/reorg-split-data" for name in ("teams", "assets"))
    )

    assert not ownership.problems(), report
    assert [finding.ref for finding in preview.effects.broken] == ["component:default/loader"]
    assert ownership.findings() == sorted(
        [item for item in before if item not in preview.effects.mended] + preview.effects.broken,
        key=lambda finding: (finding.ref, finding.rule),
    )
    assert {ref for ref in catalog.refs() if ref.startswith("group:")} == {
        "group:default/top",
        "group:default/ingest",
        "group:default/serving",
    }
    relations = {
        (item["type"], item["targetRef"])
        for ref in ("group:default/ingest", "group:default/serving")
        for item in catalog.body(ref)["relations"]
    }
    assert relations >= {
        ("hasMember", "user:default/ann"),
        ("hasMember", "user:default/bob"),
        ("ownerOf", "component:default/loader"),
        ("stewardOf", "component:default/loader"),
        ("ownerOf", "component:default/user"),
        ("childOf", "group:default/top"),
    }


def test_a_branch_that_is_there_stops_all(
    service: ReorganisationService, bare: tuple[Repository, Repository], tmp_path: Path
) -> None:
    bare[0].git("push", "--quiet", "bare", "main:portal/reorg-split-data")
    preview = service.preview(PLAN.encode(), location="plan.yaml")

    with pytest.raises(ConflictError, match=r'already has a branch "portal/reorg-split-data"; nothing was written'):
        service.write(preview)

    branches = bare[1].git("ls-remote", "--heads", str(tmp_path / "assets.git"))
    assert branches.endswith("refs/heads/main")


def test_writing_twice_is_refused(service: ReorganisationService, bare: tuple[Repository, Repository]) -> None:
    service.write(service.preview(PLAN.encode(), location="plan.yaml"))

    with pytest.raises(ConflictError):
        service.write(service.preview(PLAN.encode(), location="plan.yaml"))


def test_a_file_that_cannot_be_amended_stops_all(
    service: ReorganisationService, bare: tuple[Repository, Repository], catalog: Catalog, tmp_path: Path
) -> None:
    bare[1].commit({"catalog-info.yaml": ASSETS.replace('"data"', "&who data").replace("ref: data", "ref: *who")})
    bare[1].git("push", "--quiet", "bare", "main")
    catalog.service.refresh()

    preview = service.preview(PLAN.encode(), location="plan.yaml")

    assert 'has the anchor "&who"' in preview.files[0].refusal
    with pytest.raises(InputError, match=r"Nothing was written:\n.*anchor"):
        service.write(preview)
    assert bare[0].git("ls-remote", "--heads", str(tmp_path / "teams.git")).endswith("refs/heads/main")


def test_what_changed_since_the_catalog_read_it_is_refused(
    service: ReorganisationService, bare: tuple[Repository, Repository]
) -> None:
    bare[1].commit({"catalog-info.yaml": ASSETS.replace('"data"', "top")})
    bare[1].git("push", "--quiet", "bare", "main")

    assert service.preview(PLAN.encode(), location="plan.yaml").files[0].refusal


def test_a_folder_is_previewed_and_not_written(
    service: ReorganisationService, catalog: Catalog, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "catalog-info.yaml").write_text(documents(TEAMS, ASSETS), encoding="utf-8")
    catalog.sources.add([("file", str(folder))])
    catalog.service.refresh()

    preview = service.preview(PLAN.encode(), location="plan.yaml")

    assert "+  - engineer" in preview.files[0].diff
    with pytest.raises(InputError, match="register its git repository"):
        service.write(preview)
    assert "ingest" not in (folder / "catalog-info.yaml").read_text(encoding="utf-8")


def test_faults_have_their_place_in_the_plan(
    service: ReorganisationService, bare: tuple[Repository, Repository]
) -> None:
    faulty = PLAN.replace("{ref: ann,", "{ref: anne,").replace(", heir: serving", "")

    with pytest.raises(InputError) as caught:
        service.preview(faulty.encode(), location="plan.yaml")
    assert caught.value.message == (
        "plan.yaml:12:6 users.0.ref: user:default/anne is not in the catalog; did you mean user:default/ann?"
    )
    with pytest.raises(InputError) as caught:
        service.preview(PLAN.replace(", heir: serving", "").encode(), location="plan.yaml")
    assert caught.value.message == (
        "plan.yaml:8:8 groups.close.0.ref: nobody takes component:default/user (spec.owner), "
        "user:default/bob (spec.memberOf.0); add rules, or name an heir"
    )


@pytest.mark.parametrize("text", ["", "a: 1\n---\nb: 2\n", "a: [", "- a", "\0", "reorganisation: [x]"])
def test_what_is_no_plan_is_told(text: str, service: ReorganisationService) -> None:
    with pytest.raises(InputError, match=r"^plan\.yaml"):
        service.preview(text.encode(), location="plan.yaml")


def test_the_statements_of_a_preview_do_not_grow_with_the_catalog(
    service: ReorganisationService, catalog: Catalog, repo: MakeRepository
) -> None:
    made = repo({"catalog-info.yaml": TEAMS, "more.yaml": component("loader", owner="data")})
    catalog.ingest(f"{made.url}#main:*.yaml")
    counts = []
    for many in (1, 40):
        more = [component(f"m{number}", owner="data") for number in range(many)]
        more += [entity("User", f"u{number}", "memberOf: [data]") for number in range(many)]
        made.commit({"more.yaml": documents(component("loader", owner="data"), *more)})
        catalog.service.refresh()
        service.preview(PLAN.encode(), location="plan.yaml")
        seen: list[str] = []

        def note(connection, cursor, statement, parameters, context, executemany, seen=seen) -> None:
            seen.append(statement)

        event.listen(catalog.database.engine, "before_cursor_execute", note)
        service.preview(PLAN.encode(), location="plan.yaml")
        event.remove(catalog.database.engine, "before_cursor_execute", note)
        counts.append(len(seen))

    assert counts[0] == counts[1]
