import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.model.words import Phrase, highlighted, humps, phrases, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ml-platform_v2.1", ["ml", "platform", "v2", "1"]),
        ("Café RÄUME", ["cafe", "raume"]),
        ("Straße", ["strasse"]),
        ("\uff21\uff22\uff23", ["abc"]),  # full-width letters
        ("深度学习 model", ["深", "度", "学", "习", "model"]),
        ("v2学习", ["v2", "学", "习"]),
        ("한국어 모델", ["한국어", "모델"]),
        ("Модель", ["модель"]),
        ("हिन्दी", ["हिन्दी"]),
        ("... --- !", []),
        ("x" * 100, ["x" * 64]),
    ],
)
def test_text_is_split_into_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_names_are_put_together_from_words() -> None:
    assert humps("fraudDetection MLPlatform plain PyTorch v2") == [
        "fraud",
        "detection",
        "ml",
        "platform",
        "py",
        "torch",
    ]


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ("pay", [Phrase(("pay",), is_prefix=True)]),
        ("Pay load pay", [Phrase(("pay",), is_prefix=True), Phrase(("load",), is_prefix=True)]),
        ('"pay load" x', [Phrase(("pay", "load"), is_prefix=False), Phrase(("x",), is_prefix=True)]),
        ("学习", [Phrase(("学", "习"), is_prefix=True)]),
        ("学习 模", [Phrase(("学", "习"), is_prefix=True), Phrase(("模",), is_prefix=True)]),
        ("ml-plat", [Phrase(("ml",), is_prefix=True), Phrase(("plat",), is_prefix=True)]),
        ('"" !?', []),
        ('a "b', [Phrase(("a",), is_prefix=True), Phrase(("b",), is_prefix=True)]),
    ],
)
def test_a_term_says_what_must_be_there(term: str, expected: list[Phrase]) -> None:
    assert phrases(term) == expected


@pytest.mark.parametrize(
    ("text", "term", "expected"),
    [
        ("Payments are paid", "pay", "[Payments] are paid"),
        ("pay payments", '"pay"', "[pay] payments"),
        ("the Café", "cafe", "the [Café]"),
        ("PyTorch", "torch", "[PyTorch]"),
        ("深度学习模型", "学习", "深度[学习]模型"),
        ("学 习", "学习", "[学] [习]"),
        ("<b>pay</b>", "pay", "<b>[pay]</b>"),
        ("nothing", "pay", "nothing"),
        ("", "pay", ""),
    ],
)
def test_words_that_were_meant_are_marked(text: str, term: str, expected: str) -> None:
    assert highlighted(text, phrases(term), before="[", after="]") == expected


@given(st.text(), st.text())
def test_marks_leave_the_text_as_it_is(text: str, term: str) -> None:
    marked = highlighted(text, phrases(term), before="\ue000", after="\ue001")

    if "\ue000" not in text and "\ue001" not in text:
        assert marked.replace("\ue000", "").replace("\ue001", "") == text


@given(st.text(min_size=1, max_size=60).filter(lambda text: "\ue000" not in text))
def test_a_text_is_found_by_its_own_words(text: str) -> None:
    wanted = phrases(text)

    marked = highlighted(text, wanted, before="\ue000", after="\ue000")

    assert ("\ue000" in marked) == bool(words(text))


@given(st.text())
def test_the_words_of_plain_text_are_those_of_any_text(text: str) -> None:
    plain = text.encode("ascii", "ignore").decode()

    assert words(plain) == words(f"{plain} \u2028")
