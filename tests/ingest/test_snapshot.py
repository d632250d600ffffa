from portal.defaults.kinds import all_kinds
from portal.ingest.annotate import Annotator
from portal.ingest.compile import CompiledBatch, compile_files, parse_files
from portal.ingest.snapshot import Snapshot
from portal.ingest.yaml import YamlLimits
from portal.model.integration import NO_INTEGRATIONS
from portal.model.leaves import Leaf


def compiled(*names: str) -> CompiledBatch:
    text = (
        "apiVersion: backstage.io/v1alpha1\nkind: Group\nmetadata: {{name: {}}}\nspec: {{type: team, children: []}}\n"
    )
    drafts = parse_files({name: text.format(name).encode() for name in names}, limits=YamlLimits())
    annotate = Annotator(NO_INTEGRATIONS).of("url:x")
    return compile_files(list(drafts.values()), kinds=all_kinds(), resolvers={}, annotate=annotate)


def test_places_lead_to_the_leaves_of_a_batch_though_one_of_its_files_was_compiled_again() -> None:
    """A file that is compiled again is in two batches; it is the later one that counts."""
    snapshot = Snapshot()
    snapshot.add(compiled("a", "b", "c"))
    snapshot.add(compiled("b"))
    leaves: dict[int, list[Leaf]] = {}
    for division in snapshot.leaves([0, 1]):
        for number, texts in division:
            leaves.setdefault(number, []).extend(map(Leaf.of, texts))

    named = {
        document.location: (number, {leaves[number][place] for place in meaning.leaves})
        for number, documents in snapshot.batches()
        for document, meaning in ((document, snapshot.meanings(number)[document.position]) for document in documents)
    }

    assert {location: number for location, (number, _) in named.items()} == {"a": 0, "b": 1, "c": 0}
    for name, (_, found) in named.items():
        assert {leaf.value for leaf in found if leaf.key == "metadata.name"} == {name}
        assert Leaf("spec.type", "team", "team") in found
    assert len(leaves[0]) == len({*leaves[0]})
