from __future__ import annotations

import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import rustworkx
from hypothesis import given
from hypothesis import strategies as st

from portal.graph.export import WRITERS, Shown, to_dot, to_graphml, to_mermaid
from portal.model.ref import EntityRef
from portal.model.relation import Relation

HOSTILE = '<b onload=x>"q" \\n \\N & &lt; end;#{}[]|`\x1b[31m\x00'
HOSTILE_IN_MERMAID = (
    '    n0["#60;b onload=x#62;#34;q#34; #92;n #92;N #38; #38;lt#59; end#59;#35;#123;#125;#91;#93;#124;#96;'
    '\N{REPLACEMENT CHARACTER}#91;31m\N{REPLACEMENT CHARACTER}<br/>component"]'
)
LAYER = EntityRef('layer:default/lo"w')
NODES = [
    Shown(EntityRef("component:default/a"), "component", HOSTILE, LAYER, EntityRef("group:default/t")),
    Shown(EntityRef("component:default/b"), "component", "1. one", None, None),
]
EDGES = [Relation(NODES[0].ref, "dependsOn", NODES[1].ref), Relation(NODES[0].ref, "partOf", NODES[1].ref)]


def test_graphml_is_read_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.graphml"
    path.write_text(to_graphml(NODES, EDGES), encoding="utf-8")

    (read,) = rustworkx.read_graphml(str(path))

    told = {node["id"]: node for node in read.nodes()}
    assert told["component:default/a"]["layer"] == 'layer:default/lo"w'
    assert told["component:default/a"]["owner"] == "group:default/t"
    assert told["component:default/a"]["title"] == re.sub(r"[\x00\x1b]", "\N{REPLACEMENT CHARACTER}", HOSTILE)
    assert told["component:default/b"]["layer"] is None
    assert sorted(edge["type"] for edge in read.edges()) == ["dependsOn", "partOf"]


def test_mermaid_takes_no_text_for_its_own() -> None:
    text = to_mermaid(NODES, EDGES)

    assert text.splitlines() == [
        "flowchart LR",
        '  n1["1#46; one<br/>component"]',
        '  subgraph l1["lo#34;w"]',
        HOSTILE_IN_MERMAID,
        "  end",
        '  n0 -->|"dependsOn"| n1',
        '  n0 -->|"partOf"| n1',
    ]


def test_dot_has_a_cluster_for_each_layer() -> None:
    text = to_dot(NODES, EDGES)

    assert 'subgraph cluster_1 {\n\t\tlabel="lo\\"w"' in text
    assert '\\"q\\" \\\\n \\\\N &amp; &amp;lt;' in text
    assert text.count("n0 -> n1") == 2


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not there")
def test_graphviz_draws_titles_as_they_are() -> None:
    drawn = subprocess.run(["dot", "-Tsvg"], input=to_dot(NODES, EDGES), capture_output=True, text=True, check=True)

    texts = [item.text for item in ET.fromstring(drawn.stdout).iter("{http://www.w3.org/2000/svg}text")]
    assert re.sub(r"[\x00\x1b]", "\N{REPLACEMENT CHARACTER}", HOSTILE) in texts
    assert {'lo"w', "dependsOn", "partOf"} <= set(texts)


@given(st.text(), st.text(min_size=1), st.sampled_from(sorted(WRITERS)))
def test_whatever_a_title_or_name_is_the_rest_stays_as_it_was(title: str, name: str, form: str) -> None:
    ref = EntityRef.of("component", "default", name)
    text = WRITERS[form]([Shown(ref, "component", title, EntityRef.of("layer", "default", name), None)], [])

    assert "\x1b" not in text
    assert (
        len(text.splitlines())
        == len(WRITERS[form]([Shown(EntityRef("component:default/a"), "component", "x", LAYER, None)], []).splitlines())
        or not title
    )
    if form == "graphml":
        (node,) = ET.fromstring(text).iter("{http://graphml.graphdrawing.org/xmlns}node")
        assert node.get("id", "").startswith("component:default/")
