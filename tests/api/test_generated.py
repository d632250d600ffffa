"""What templates have generated, as those who ask may read it; upgrades by those who own."""

from __future__ import annotations

import pytest
from catalogs import entity
from readers import bearer, let_read, unlabelled
from repositories import Repository
from worlds import world

from portal.app.wsgi import create_app
from portal.services.generation import Generation

ALL = "user:default/admin"

MADE = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: {name}
  labels: {{tier: {tier}}}
  annotations:
    backstage.io/source-template: template:default/pin
    portal/template-commit: {commit}
spec: {{type: service, lifecycle: experimental, owner: {owner}}}
"""
TEMPLATE = """
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {name: pin}
spec:
  type: service
  owner: team
  steps:
    - {id: fetch, action: fetch:plain, input: {url: ./skeleton}}
    - {id: publish, action: publish:git, input: {name: any}}
"""


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    folder = tmp_path_factory.mktemp("generated")
    source = Repository(folder / "template")
    first = source.commit({"template.yaml": TEMPLATE, "skeleton/text.txt": "one\n"})
    source.commit({"skeleton/text.txt": "two\n"})
    with world(folder, extra=entity("Domain", "any", "owner: team")) as made:
        made.portal.ingest([("url", f"{source.url}#main:template.yaml")])
        for name, owner in (("ours", "team"), ("theirs", "others")):
            repository = Repository(folder / name)
            record = Generation.parse(f"template: pin\ncommit: {first}\n".encode(), place="").to_text()
            repository.commit(
                {
                    "catalog-info.yaml": MADE.format(name=name, tier="open", commit=first, owner=owner),
                    "text.txt": "one\n",
                    ".portal/answers.yaml": record,
                }
            )
            made.portal.ingest([("url", repository.url)])
        made.folder = folder
        yield made


def ask(opened, name, body):
    return opened.client.post("/api/scaffolder/v2/upgrade", json=body, headers=opened.as_user(name))


def branches(opened, name):
    import git  # noqa: PLC0415  # as its owner looks at it

    return sorted(head.name for head in git.Repo(opened.folder / name).heads)


def test_a_template_that_nobody_knows_has_generated_nothing(opened):
    path = "/api/scaffolder/v2/generated"
    found = opened.client.get(f"{path}?template=pin", headers=opened.as_user("lone")).json
    assert [(item["entities"], item["behind"]) for item in found["items"]] == [
        (["component:default/ours"], 1),
        (["component:default/theirs"], 1),
    ]
    assert found["templates"][0]["template"] == "template:default/pin"
    missing = opened.client.get(f"{path}?template=none", headers=opened.as_user("lone"))
    assert (missing.status_code, missing.json["error"]["name"]) == (404, "NotFoundError")
    assert opened.client.get(f"{path}?tempalte=pin", headers=opened.as_user("lone")).status_code == 400


def test_owners_upgrade_what_is_theirs(opened):
    refused = ask(opened, "owner", {"entityRef": "component:default/theirs"})
    assert refused.status_code == 403
    assert "portal.asset.upgrade on component:default/theirs" in refused.json["error"]["message"]
    preview = ask(opened, "owner", {"entityRef": "component:default/ours", "dryRun": True})
    assert preview.status_code == 200, preview.json
    assert (preview.json["status"], branches(opened, "ours")) == ("previewed", ["main"])
    assert "-one\n+two\n" in preview.json["diff"]
    done = ask(opened, "owner", {"entityRef": "component:default/ours"})
    assert (done.json["status"], done.json["conflicts"]) == ("pushed", [])
    assert branches(opened, "ours") == ["main", done.json["branch"]]
    again = ask(opened, "owner", {"entityRef": "component:default/ours"})
    assert (again.status_code, again.json["error"]["name"]) == (409, "ConflictError")
    assert branches(opened, "theirs") == ["main"]


def test_what_may_not_be_read_is_not_listed(tmp_path):
    hidden = MADE.format(name="hidden", tier="closed", commit="f" * 40, owner="team")
    seen = MADE.format(name="seen", tier="open", commit="f" * 40, owner="team")
    with world(tmp_path, extra=f"{TEMPLATE}\n---\n{hidden}\n---\n{seen}") as made:
        let_read(made.portal, lambda user, _claims: "ALLOW" if user == ALL else unlabelled("tier", "closed"))
        client = create_app(made.portal).test_client()
        told = {
            who: client.get("/api/scaffolder/v2/generated?template=pin", headers=bearer(made.portal, who)).json["items"]
            for who in (ALL, "user:default/lone")
        }
    assert [item["entities"] for item in told[ALL]] == [["component:default/hidden", "component:default/seen"]]
    assert [item["entities"] for item in told["user:default/lone"]] == [["component:default/seen"]]
    assert told[ALL][0]["behind"] is None
    assert "not in the history" in told[ALL][0]["note"]
