"""`portal template preview`: the form, what is made, and changes while they are typed or saved."""

from __future__ import annotations

import threading
import urllib.error
import urllib.parse
import urllib.request

import pytest
from browsers import needs_chromium

from portal.app.preview import preview_server
from portal.config import load_settings
from portal.errors import SettingsError

TEMPLATE = """\
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {name: made, title: A thing}
spec:
  type: service
  owner: team
  secrets: {schema: {required: [KEY], properties: {KEY: {type: string}}}}
  parameters:
    - title: What
      required: [name, kind]
      properties:
        name: {type: string, title: Name, pattern: "^[a-z]+$"}
        kind: {type: string, title: Kind, enum: [app, job], default: app}
        tags: {type: array, title: Tags, items: {type: string}}
        size: {type: object, title: Size, properties: {cpus: {type: integer, title: CPUs, default: 2}}}
        isPublic: {type: boolean, title: Public}
      dependencies:
        kind:
          oneOf:
            - properties: {kind: {enum: [app]}, port: {type: number, title: Port, default: 8080}}
            - properties: {kind: {enum: [job]}, schedule: {type: string, title: Schedule, default: daily}}
  steps:
    - id: fetch
      name: Fill in
      action: fetch:template
      input: {url: ./skeleton, values: "${{ parameters }}"}
    - {id: tell, name: Tell, action: debug:log, input: {message: "made with ${{ secrets.KEY }}"}}
  output: {made: "${{ parameters.name }}"}
"""
README = "# ${{ values.name }} ${{ values.kind }} ${{ values.port }}${{ values.schedule }} ${{ values.tags }} <b>\n"


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "made"
    (made / "skeleton").mkdir(parents=True)
    (made / "template.yaml").write_text(TEMPLATE)
    (made / "skeleton" / "README.md").write_text(README)
    (made / "tests").mkdir()
    (made / "tests" / "simple.yaml").write_text("values: {name: thing, kind: app}\nsecrets: {KEY: x}\n")
    return made


@pytest.fixture
def url(folder, tmp_path):
    settings = load_settings(environment={}, overrides={"data": str(tmp_path / "data")})
    with preview_server(folder / "template.yaml", settings, port=0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.port}"
        finally:
            server.shutdown()
            thread.join()


def _ask(url, *, values=None, headers=None):
    data = None if values is None else urllib.parse.urlencode(values, doseq=True).encode()
    request = urllib.request.Request(url, data=data, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, response.headers, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read().decode()


def test_without_scripts_a_form_shows_what_the_template_makes(url):
    status, headers, page = _ask(f"{url}/")
    assert status == 200
    assert "script-src 'self'" in headers["Content-Security-Policy"]
    assert "<script>" not in page
    assert 'value="thing"' in page  # of the first case beside the template
    assert "requires secret" in page

    given = {
        "value/name": "other",
        "value/kind": "0",
        "value/port": "81",
        "value/tags": "a\r\nb",
        "secret/KEY": "hidden",
    }
    status, _, page = _ask(f"{url}/", values={**given, "value/size/cpus": "4", "value/isPublic": "on"})

    assert status == 200
    assert "# other app 81 a,b &lt;b&gt;" in page
    assert "hidden" not in page
    assert 'value="4"' in page
    assert "secret-written" in page  # what is wrong with the template is told beside


def test_values_that_are_refused_are_told(url):
    _, _, page = _ask(f"{url}/", values={"value/name": "Bad Name", "value/kind": "0", "secret/KEY": "x"})

    assert "does not match pattern" in page


def test_other_branches_are_asked_for_with_their_defaults(url):
    _, _, page = _ask(f"{url}/", values={"value/name": "other", "value/kind": "1", "secret/KEY": "x"})

    assert "# other job daily" in page
    assert 'name="value/schedule"' in page
    assert 'name="value/port"' not in page


def test_a_template_that_cannot_be_read_is_told_with_its_place(folder, url):
    (folder / "template.yaml").write_text(TEMPLATE.replace("type: service", "type: [service"))

    status, _, page = _ask(f"{url}/")

    assert status == 200
    assert "The YAML cannot be parsed" in page


def test_pages_elsewhere_are_refused(url):
    assert _ask(f"{url}/", headers={"Host": "evil.example"})[0] == 403
    assert _ask(f"{url}/", values={"value/name": "x"}, headers={"Origin": "https://evil.example"})[0] == 403
    assert _ask(f"{url}/static/layout.html")[0] == 404


def test_a_port_that_is_taken_is_told(folder, url, tmp_path):
    settings = load_settings(environment={}, overrides={"data": str(tmp_path / "data")})
    port = int(url.rpartition(":")[2])

    with (
        pytest.raises(SettingsError, match="Name another with --port"),
        preview_server(folder / "template.yaml", settings, port=port),
    ):
        pass


@needs_chromium
class TestInABrowser:
    @pytest.fixture
    def page(self, browser, url):
        context = browser.new_context(base_url=url)
        opened = context.new_page()
        faults = []
        opened.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        opened.on("pageerror", lambda error: faults.append(str(error)))
        yield opened
        context.close()
        assert faults == []

    def test_what_is_typed_or_saved_is_shown_at_once(self, page, folder):
        page.goto("/")
        page.get_by_label("KEY").fill("hidden")
        page.get_by_text("README.md").click()
        page.get_by_text("# thing app 8080").wait_for()

        page.get_by_label("Name").fill("typed")
        page.get_by_text("# typed app 8080").wait_for()
        page.get_by_label("Kind").select_option("job")
        page.get_by_text("# typed job daily").wait_for()
        page.get_by_label("Schedule").fill("weekly")
        page.get_by_text("# typed job weekly").wait_for()

        (folder / "skeleton" / "README.md").write_text("saved ${{ values.name }}\n")
        page.get_by_text("saved typed").wait_for()
        (folder / "template.yaml").write_text(TEMPLATE.replace("title: Name", "title: Its name"))
        page.get_by_label("Its name").wait_for()
        assert page.get_by_label("Its name").input_value() == "typed"
