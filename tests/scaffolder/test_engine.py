"""Behaviour of the template engine, seen through its public interface."""

from __future__ import annotations

import threading

import pytest

from portal.defaults.engine import build_engine, load_bundle
from portal.errors import InputError, ServiceUnavailableError, TemplateError
from portal.scaffolder.engine import Engine, EngineLimits, TextSource
from portal.scaffolder.values import UNDEFINED, is_truthy

CATASTROPHIC = "${{ '" + "a" * 40 + "b' | replace(r/^(a+)+$/, 'x') }}"
SLOW = "{% for i in range(900000) %}x{% endfor %}"


def shout(value, *arguments):
    if not isinstance(value, str):
        raise InputError(f"found {value!r}; expected text")
    return value.upper() + "".join(map(str, arguments))


@pytest.fixture(scope="module")
def engine():
    with build_engine({"shout": shout, "nothing": lambda *_: UNDEFINED, "echo": lambda *a: list(map(repr, a))}) as it:
        yield it


def text(engine, source, **context):
    return engine.render_texts([TextSource("file.txt", source)], context)[0]


def test_a_lone_expression_keeps_its_type(engine):
    assert engine.render_value({"n": "${{ n + 1 }}", "t": "n=${{ n }}"}, {"n": 1}).value == {"n": 2, "t": "n=1"}


def test_undefined_leaves_a_mapping_and_becomes_null_in_a_list(engine):
    rendered = engine.render_value({"gone": "${{ x }}", "kept": None, "items": ["${{ x }}", 1]}, {})
    assert rendered.value == {"kept": None, "items": [None, 1]}
    assert engine.render_value("${{ x }}", {}).value is UNDEFINED


def test_a_faulty_text_stays_and_is_told_with_its_path(engine):
    rendered = engine.render_value({"a": ["ok", "${{ x | nosuch }}"]}, {})
    assert rendered.value == {"a": ["ok", "${{ x | nosuch }}"]}
    (warning,) = rendered.warnings
    assert (warning.path, warning.source) == ("a.1", "${{ x | nosuch }}")
    assert str(warning) == 'a.1: Unknown template filter "nosuch"; the text stayed as it was: ${{ x | nosuch }}'


def test_a_value_without_tags_is_returned_as_it_is(engine):
    value = {"a": [1, 2.5, True, None, "plain"], "{{ key }}": {}}
    assert engine.render_value(value, {}).value == value


@pytest.mark.parametrize(("source", "plain", "decoded"), [
    ("", "", UNDEFINED),
    ("{% if true %}7{% endif %}", "7", 7),
    ("{% if false %}7{% endif %}", "", UNDEFINED),
    ("${{ '' }}", "", ""),
    ("a ${{ 1 }}", "a 1", "a 1"),
])  # fmt: skip
def test_json_coercion_decodes_one_block(engine, source, plain, decoded):
    assert engine.render_value(source, {}).value == plain
    assert engine.render_value(source, {}, coercion="json").value == decoded


def test_status_functions_are_reported_with_their_answers(engine):
    assert not engine.render_value("${{ 1 }}", {}).status_functions_called
    called = engine.render_value("${{ failure() }}", {}, failed=True)
    assert (called.value, called.status_functions_called) == (True, True)
    assert engine.render_value("${{ failure() }}", {}).value is False
    assert engine.render_value("${{ always() }}", {}).value is True


def test_status_functions_are_unknown_in_files(engine):
    with pytest.raises(TemplateError):
        text(engine, "${{ always() }}")


def test_texts_are_rendered_in_order(engine):
    sources = [TextSource(f"{n}.txt", "{% for t in tags %}${{ t }}," + str(n) + "{% endfor %}") for n in range(3)]
    assert engine.render_texts(sources, {"tags": ["a", "b"]}) == ["a,0b,0", "a,1b,1", "a,2b,2"]
    assert engine.render_texts([], {}) == []


def test_a_faulty_file_is_named_with_line_and_column(engine):
    with pytest.raises(TemplateError) as raised:
        engine.render_texts([TextSource("ok.md", "fine"), TextSource("README.md", "one\n${{ x.y() }}")], {})
    assert raised.value.message.startswith("README.md:2:")
    assert "cannot be called" in raised.value.message


def test_attempts_give_the_good_texts_beside_the_faults(engine):
    good, bad = engine.attempt_texts([TextSource("a", "${{ 1 }}"), TextSource("b", "{% include 'x' %}")], {})
    assert good == "1"
    assert isinstance(bad, TemplateError)


def test_whitespace_options_reach_the_engine(engine):
    source = [TextSource("a", "  {% if true %}\nx\n{% endif %}\n")]
    assert engine.render_texts(source, {}) == ["  \nx\n\n"]
    assert engine.render_texts(source, {}, trim_blocks=True, lstrip_blocks=True) == ["x\n"]


def test_a_filter_is_called_with_its_arguments(engine):
    assert text(engine, "${{ v | shout('!', 2) }}", v="hi") == "HI!2"


def test_null_and_undefined_reach_a_filter_apart(engine):
    value = engine.render_value("${{ x | echo(none, y, [y]) }}", {"x": 1}).value
    assert value == ["1", "None", "UNDEFINED", "[None]"]


def test_a_filter_may_return_undefined(engine):
    assert engine.render_value("${{ 1 | nothing }}", {}).value is UNDEFINED
    assert engine.render_value("${{ (1 | nothing) is undefined }}", {}).value is True


def test_filters_feed_filters(engine):
    assert text(engine, "${{ v | shout | shout('x') | length }}", v="hi") == "3"


def test_a_filter_decides_what_is_rendered(engine):
    source = "{% if (v | shout) == 'HI' %}${{ v }}{% else %}${{ always() }}${{ 1 | shout }}{% endif %}"
    rendered = engine.render_value(source, {"v": "hi"})
    assert (rendered.value, rendered.status_functions_called, rendered.warnings) == ("hi", False, ())


def test_a_loop_asks_its_questions_together():
    calls = []
    with build_engine({"double": lambda n: calls.append(n) or n * 2}) as engine:
        source = "{% for n in range(300) %}${{ n | double }} {% endfor %}"
        assert text(engine, source).split() == [str(n * 2) for n in range(300)]
    assert sorted(calls) == list(range(300))


def test_a_filters_refusal_is_the_templates_fault(engine):
    with pytest.raises(TemplateError, match=r'file\.txt:1:.*"shout" failed: found 5; expected text'):
        text(engine, "${{ 5 | shout }}")
    assert "expected text" in engine.render_value("${{ 5 | shout }}", {}).warnings[0].message


def test_random_draws_from_the_given_seeds():
    def drawn(seed):
        with Engine(load_bundle(), filters={"same": lambda x: x}, seeds=lambda: seed) as engine:
            return engine.render_texts([TextSource("a", "${{ range(1000) | random | same }}")] * 2, {})

    assert drawn(1) == drawn(1) != drawn(2)
    with Engine(load_bundle(), filters={}) as engine, pytest.raises(TemplateError):
        text(engine, "${{ range(9) | random }}")


def test_every_character_crosses_the_border(engine):
    odd = "a\0b\x1f\u2028\ud800é😀"
    assert engine.render_value("${{ x }}", {"x": odd}).value == odd
    assert text(engine, "<${{ x }}" + odd, x=odd) == f"<{odd}{odd}"


def test_what_is_not_json_is_refused(engine):
    for value in (float("nan"), object(), {1, 2}):
        with pytest.raises(InputError, match="not JSON"):
            engine.render_value("${{ x }}", {"x": value})


def test_reserved_names_in_the_context_are_refused(engine):
    with pytest.raises(TemplateError, match="constructor"):
        engine.render_value("${{ x }}", {"x": {"constructor": 1}})


@pytest.mark.parametrize("escape", [
    "${{ ''.constructor.constructor('return 1')() }}",
    "${{ [].__proto__ }}",
    "${{ portalEngine }}${{ globalThis }}",
    "${{ (range.constructor) }}",
])  # fmt: skip
def test_a_template_does_not_reach_the_engine(engine, escape):
    value = engine.render_value(escape, {}).value
    assert value in (escape, "")


@pytest.mark.parametrize("render", [
    lambda engine, source: engine.render_texts([TextSource("ok", "fine"), TextSource("bad", source)], {}),
    lambda engine, source: engine.render_value({"ok": "${{ 1 }}", "bad": source}, {}),
], ids=["file", "value"])  # fmt: skip
@pytest.mark.parametrize("source", [CATASTROPHIC, SLOW], ids=["regular expression", "loop"])
def test_a_source_that_takes_too_long_is_stopped_and_named(render, source):
    with build_engine({}, limits=EngineLimits(time_seconds=0.2)) as engine:
        with pytest.raises(TemplateError, match=r"^bad: rendering takes longer than 0\.2 s"):
            render(engine, source)
        assert text(engine, "${{ 1 + 1 }}") == "2"


def test_filters_share_the_time_of_their_render():
    with build_engine({"same": lambda x: x}, limits=EngineLimits(time_seconds=0.2)) as engine:
        source = SLOW.replace("900000", "20000") + "{% for i in range(60) %}{% set n = (n ~ 'x') | same %}{% endfor %}"
        with pytest.raises(TemplateError, match="longer than"):
            text(engine, source)
        assert text(engine, "${{ 1 | same }}") == "1"


@pytest.mark.parametrize(("bomb", "said"), [
    ("{% set x = 'aaaaaaaaaaaaaaaa' %}{% for i in range(40) %}{% set x = x ~ x %}{% endfor %}${{ x }}", "too long"),
    ("{% set a = [] %}{% for i in range(99999) %}{% set n = a.push(range(99)) %}{% endfor %}", "memory"),
    ("{% for i in range(99999) %}${{ 'x' | center(9999) }}{% endfor %}", "memory"),
    ("{# " + "x" * 9_000_000 + " #}", "needs more than 4 MiB of memory"),
], ids=["doubling", "array", "output", "source"])  # fmt: skip
def test_a_memory_bomb_is_refused(bomb, said):
    with build_engine({}, limits=EngineLimits(memory_bytes=4 * 1024 * 1024, contexts=1)) as engine:
        with pytest.raises(TemplateError, match=rf"^file\.txt:.*{said}"):
            text(engine, bomb)
        assert text(engine, "${{ 1 + 1 }}") == "2"


@pytest.mark.parametrize("deep", [
    "${{ " + "(" * 2000 + "1" + ")" * 2000 + " }}",
    "{% macro m() %}${{ m() }}{% endmacro %}${{ m() }}",
    "{% if true %}" * 1000 + "{% endif %}" * 1000,
], ids=["parentheses", "macro", "blocks"])  # fmt: skip
def test_deep_nesting_is_refused(engine, deep):
    with pytest.raises(TemplateError, match=r"file\.txt"):
        text(engine, deep)
    assert text(engine, "${{ 1 + 1 }}") == "2"


def test_threads_render_at_the_same_time(engine):
    results = {}

    def work(number):
        results[number] = [text(engine, "${{ n | shout }}", n=f"t{number}-{turn}") for turn in range(20)]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {number: [f"T{number}-{turn}" for turn in range(20)] for number in range(6)}


def test_a_filters_own_failure_passes_through_and_the_engine_goes_on():
    def broken(_):
        raise OSError("disk")

    with build_engine({"broken": broken}, limits=EngineLimits(contexts=1)) as engine:
        with pytest.raises(OSError, match="disk"):
            text(engine, "${{ 1 | broken }}")
        assert text(engine, "${{ 1 }}") == "1"


def test_a_closed_engine_refuses():
    engine = build_engine({})
    assert text(engine, "${{ 1 }}") == "1"
    engine.close()
    engine.close()
    with pytest.raises(ServiceUnavailableError):
        text(engine, "${{ 1 }}")


@pytest.mark.parametrize(("value", "expected"), [
    (False, False), (None, False), (UNDEFINED, False), (0, False), (0.0, False), (float("nan"), False), ("", False),
    ([], False), ({}, True), ("false", True), ("0", True), (" ", True), ([0], True), (True, True), (1, True),
])  # fmt: skip
def test_truthiness_of_a_rendered_if(value, expected):
    assert is_truthy(value) is expected
