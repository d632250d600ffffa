"""The schema for editors in the language server of VS Code's YAML extension, over its own protocol."""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from npm import NODE, install
from servers import run_portal

HERE = Path(__file__).parent
SERVER = "node_modules/yaml-language-server/bin/yaml-language-server"
URI = "file:///workspace/catalog-info.yaml"


class LanguageServer:
    """A language server that has one file open."""

    def __init__(self, process: subprocess.Popen[bytes], schema: Path) -> None:
        self._process = process
        self._numbers = itertools.count(1)
        self._settings = {"yaml": {"schemas": {schema.as_uri(): "catalog-info.yaml"}, "validate": True, "hover": True,
                                   "completion": True, "schemaStore": {"enable": False}}}  # fmt: skip
        self._version = itertools.count(1)
        self.ask("initialize", processId=None, rootUri=None, capabilities={"workspace": {"configuration": True}})
        self.tell("initialized")

    def tell(self, method: str, **parameters: Any) -> None:
        self._send({"method": method, "params": parameters})

    def ask(self, method: str, **parameters: Any) -> Any:
        number = next(self._numbers)
        self._send({"id": number, "method": method, "params": parameters})
        return self._until(lambda message: message.get("id") == number and "method" not in message)["result"]

    def show(self, text: str) -> list[str]:
        """Show a text; return what is marked in it."""
        version = next(self._version)
        if version == 1:
            document = {"uri": URI, "languageId": "yaml", "version": version, "text": text}
            self.tell("textDocument/didOpen", textDocument=document)
        else:
            document = {"uri": URI, "version": version}
            self.tell("textDocument/didChange", textDocument=document, contentChanges=[{"text": text}])
        told = self._until(lambda message: message.get("method") == "textDocument/publishDiagnostics")
        return [item["message"] for item in told["params"]["diagnostics"]]

    def completions(self, text: str) -> set[str]:
        """Return what is offered where a text has its cursor, a `|`."""
        place = self._place(text)
        self.show(text.replace("|", ""))
        found = self.ask("textDocument/completion", textDocument={"uri": URI}, position=place)
        return {item["label"] for item in found["items"]}

    def hover(self, text: str) -> str:
        """Return what is told of the place where a text has its cursor, a `|`."""
        place = self._place(text)
        self.show(text.replace("|", ""))
        found = self.ask("textDocument/hover", textDocument={"uri": URI}, position=place)
        return str(found["contents"]["value"])

    @staticmethod
    def _place(text: str) -> dict[str, int]:
        before = text[: text.index("|")]
        return {"line": before.count("\n"), "character": len(before.rpartition("\n")[2])}

    def _until(self, wanted: Any) -> dict[str, Any]:
        while True:
            message = self._received()
            if wanted(message):
                return message
            if message.get("method") == "workspace/configuration":
                asked = [item.get("section", "") for item in message["params"]["items"]]
                self._send({"id": message["id"], "result": [self._settings.get(name, {}) for name in asked]})
            elif "id" in message and "method" in message:
                self._send({"id": message["id"], "result": None})

    def _send(self, message: dict[str, Any]) -> None:
        content = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(content), content))
        self._process.stdin.flush()

    def _received(self) -> dict[str, Any]:
        size = 0
        while (line := self._process.stdout.readline().strip()) or not size:
            assert line or self._process.poll() is None, "the language server ended"
            if line.lower().startswith(b"content-length:"):
                size = int(line.partition(b":")[2])
        return json.loads(self._process.stdout.read(size))


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LanguageServer]:
    """The language server, with the schemas that `portal schema --all` has written."""
    install(HERE)
    folder = tmp_path_factory.mktemp("editor")
    assert run_portal("schema", "--all", "--output", "schemas", folder=folder).returncode == 0
    command = [str(NODE), SERVER, "--stdio"]
    with subprocess.Popen(command, cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield LanguageServer(process, folder / "schemas" / "catalog.json")
        process.terminate()


def _document(kind: str, spec: str, *, version: str = "portal/v1alpha1") -> str:
    return f"apiVersion: {version}\nkind: {kind}\nmetadata:\n  name: a\nspec:\n{spec}"


DATASET = "  type: table\n  lifecycle: production\n  owner: team-a\n"


def test_a_good_file_has_no_marks(editor: LanguageServer) -> None:
    assert editor.show(_document("Dataset", DATASET)) == []


def test_what_is_wrong_is_marked(editor: LanguageServer) -> None:
    marked = editor.show(_document("Component", "  type: service\n  owner: 7\n", version="backstage.io/v1alpha1"))

    assert any("lifecycle" in text for text in marked)
    assert any("string" in text for text in marked)


def test_kinds_are_offered(editor: LanguageServer) -> None:
    assert {"Component", "Dataset", "Model", "Layer"} <= editor.completions("apiVersion: portal/v1alpha1\nkind: |\n")


def test_the_fields_of_a_kind_are_offered(editor: LanguageServer) -> None:
    offered = editor.completions(_document("Dataset", f"{DATASET}  |\n"))

    assert {"stewards", "system", "dependsOn"} <= offered
    assert not {"owner", "ownerRoles", "profile"} & offered


def test_the_values_of_a_field_are_offered(editor: LanguageServer) -> None:
    offered = editor.completions(_document("Policy", "  rule: portal/owner-role\n  severity: |\n"))

    # Some readers of YAML take a bare off for false.
    assert {'"off"', "warn", "enforce"} <= offered


def test_a_field_says_what_it_means(editor: LanguageServer) -> None:
    assert "accountable" in editor.hover(_document("Dataset", DATASET.replace("owner", "own|er")))
