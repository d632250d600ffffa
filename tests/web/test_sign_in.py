"""Where people are sent after they have signed in."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from portal.web.sign_in import local_path


@given(st.text(st.sampled_from("/\\ab.:@?#%\t\n\r evil")))
@example("//evil.example")
@example("/\\evil.example")
@example("/\t/evil.example")
@example("https://evil.example")
def test_no_path_leads_to_another_host(text):
    found = local_path(text)

    # Browsers read a backslash as a slash, and leave tabs and line ends out.
    as_read = found.replace("\\", "/").translate({9: None, 10: None, 13: None})
    assert urlsplit(urljoin("https://portal.example.com/sign-in", as_read)).netloc == "portal.example.com"


@pytest.mark.parametrize("path", ["/", "/kinds?a=b&c=%2F", "/catalog/default/group/é#x"])
def test_paths_of_portal_stay_as_they_are(path):
    assert local_path(path) == path
