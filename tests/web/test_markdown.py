import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.web.markdown import coded, markdown

LINK = '<p><a href="https://example.com{}" rel="noopener noreferrer">{}</a></p>\n'
BASE = "https://git.example.com/acme/tree/main/docs/catalog-info.yaml"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one *two* **three**", "<p>one <em>two</em> <strong>three</strong></p>\n"),
        ("<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>\n"),
        ("[a](javascript:alert(1))", "<p>[a](javascript:alert(1))</p>\n"),
        ("[a](data:text/html,x)", "<p>[a](data:text/html,x)</p>\n"),
        ("[a](ftp://example.com)", "<p>a</p>\n"),
        ("[a](b.md)", "<p>a</p>\n"),
        ("[a](#part)", "<p>a</p>\n"),
        ("[a](//evil.example.com)", "<p>a</p>\n"),
        (
            "[](https://example.com)",
            _link := '<p><a href="https://example.com" rel="noopener noreferrer">https://example.com</a></p>\n',
        ),
        ("https://example.com", LINK.format("", "https://example.com")),
        (
            "![logo](https://example.com/a.png)",
            '<p><a href="https://example.com/a.png" rel="noopener noreferrer">logo</a></p>\n',
        ),
        (
            "[![logo](a.png)](https://example.com)",
            '<p><a href="https://example.com" rel="noopener noreferrer">logo</a></p>\n',
        ),
        ("# One\n\n#### Two", "<h3>One</h3>\n<h4>Two</h4>\n"),
        ("~~old~~", "<p><s>old</s></p>\n"),
    ],
)
def test_markdown_becomes_html_that_is_safe(text: str, expected: str) -> None:
    assert markdown(text) == expected


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("guide.md", "https://git.example.com/acme/tree/main/docs/guide.md"),
        ("../LICENSE", "https://git.example.com/acme/tree/main/LICENSE"),
        ("https://example.com/", "https://example.com/"),
    ],
)
def test_relative_links_lead_on_from_the_file_that_says_them(link: str, expected: str) -> None:
    assert f'href="{expected}"' in markdown(f"[a]({link})", BASE)


@pytest.mark.parametrize(
    "text", ["[" * 50_000, "> " * 20_000, "*a_ " * 20_000, "- " * 10_000, "`" * 30_000, "<a " * 9_000]
)
def test_long_texts_are_cut(text: str) -> None:
    assert len(re.sub(r"<[^>]+>|\s", "", markdown(text))) <= 20_001 * 5


ALLOWED = re.compile(
    r"</?(?:blockquote|br|code|del|em|h[3-6]|hr|li|p|pre|s|strong|table|tbody|td|th|thead|tr|ul|ol(?: start=\"\d+\")?)>"
    r"|<a href=\"(?:https?|mailto):[^\"<>]*\"(?: title=\"[^\"]*\")? rel=\"noopener noreferrer\">|</a>"
)


@given(
    st.text(alphabet=st.sampled_from("ab[]()<>!*_`#-\n \\\"'&:/=jascript:onhtp.0"), max_size=120),
    st.sampled_from(["", BASE]),
)
def test_nothing_but_known_elements_comes_out(text: str, base: str) -> None:
    assert "<" not in ALLOWED.sub("", markdown(text, base))


@given(st.text(alphabet=st.sampled_from("ab`<>&\"' \n")))
def test_a_line_holds_no_element_but_code(text: str) -> None:
    told = str(coded(text))
    assert "<" not in re.sub("</?code>", "", told)
    assert html.unescape(re.sub("<code>(.*?)</code>", r"`\1`", told, flags=re.DOTALL)) == text
