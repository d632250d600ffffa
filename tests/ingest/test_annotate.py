"""Where an entity comes from, as its annotations say it."""

from portal.ingest.annotate import Annotator
from portal.model.integration import Integrations

ANNOTATOR = Annotator(Integrations())


def _short(location: str) -> dict[str, str]:
    found = ANNOTATOR.annotations(location, origin="url:root")
    return {key.removeprefix("backstage.io/"): value for key, value in found.items()}


def test_a_file_of_a_host_says_where_it_is_seen_edited_and_kept() -> None:
    assert _short("url:https://github.com/o/r/blob/main/a/c.yaml") == {
        "managed-by-location": "url:https://github.com/o/r/blob/main/a/c.yaml",
        "managed-by-origin-location": "url:root",
        "view-url": "https://github.com/o/r/blob/main/a/c.yaml",
        "edit-url": "https://github.com/o/r/edit/main/a/c.yaml",
        "source-location": "url:https://github.com/o/r/tree/main/a/",
    }


def test_a_file_of_a_remote_has_the_urls_of_its_host() -> None:
    found = _short("url:https://github.com/o/r#main:a/c.yaml")

    assert found["managed-by-location"] == "url:https://github.com/o/r#main:a/c.yaml"
    assert found["view-url"] == "https://github.com/o/r/blob/main/a/c.yaml"
    assert found["source-location"] == "url:https://github.com/o/r/tree/main/a/"


def test_a_file_of_a_remote_that_no_host_shows_has_the_folder_of_its_remote_alone() -> None:
    found = _short("url:ssh://git@h/r#main:a/c.yaml")

    assert found["source-location"] == "url:ssh://git@h/r#main:a/"
    assert not {"view-url", "edit-url"} & found.keys()


def test_a_file_of_a_web_server_can_only_be_seen() -> None:
    found = _short("generated:url:https://example.com/c.yaml")

    assert found["view-url"] == "https://example.com/c.yaml"
    assert not {"edit-url", "source-location"} & found.keys()


def test_a_file_of_a_folder_has_no_urls() -> None:
    assert _short("file:/catalog/c.yaml").keys() == {"managed-by-location", "managed-by-origin-location"}
