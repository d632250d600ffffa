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
    """A file that is compiled again keeps its place between the others: their batch comes in two parts."""
    snapshot = Snapshot()
    snapshot.add(compiled("a", "b", "c"))
    snapshot.add(compiled("b"))
    documents = list(snapshot.documents.values())
    leaves: dict[int, list[Leaf]] = {}
    for division in snapshot.leaves(documents):
        for number, texts in division:
            leaves.setdefault(number, []).extend(map(Leaf.of, texts))

    named = {
        document.location: {leaves[number][place] for place in meaning.leaves}
        for batch, (number, meanings) in snapshot.meanings(documents)
        for document, meaning in zip(batch, meanings, strict=True)
    }

    assert [number for _, (number, _) in snapshot.meanings(documents)] == [0, 1, 0]
    for name in "abc":
        assert {leaf.value for leaf in named[name] if leaf.key == "metadata.name"} == {name}
        assert Leaf("spec.type", "team", "team") in named[name]
    assert len(leaves[0]) == len({*leaves[0]})
