"""Which urls and addresses settings open."""

import pytest

from portal.model.reading import ReadingRules

RULES = ReadingRules(
    [
        "example.com",
        "Example.org:8443",
        "*.corp.example",
        "github.com/o/public/",
        "10.1.0.0/16",
        "192.0.2.7:8080",
        "::1",
    ]
)


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://example.com/a.yaml", True),
        ("http://EXAMPLE.com:80/a.yaml", True),
        ("https://example.com:444/a.yaml", False),
        ("https://example.com.evil/a.yaml", False),
        ("https://example.com@evil/a.yaml", False),
        ("https://user@example.com/a.yaml", False),
        ("ftp://example.com/a.yaml", False),
        ("https://example.org:8443/a", True),
        ("https://example.org/a", False),
        ("https://a.b.corp.example/a", True),
        ("https://corp.example/a", False),
        ("https://evilcorp.example/a", False),
        ("https://github.com/o/public/blob/main/a", True),
        ("https://github.com/o/secret/blob/main/a", False),
        ("https://github.com/o/public/../secret/a", False),
        ("https://github.com/o/public/%2e%2e/secret/a", False),
        ("http://10.1.2.3:9999/a", True),
        ("http://10.2.2.3/a", False),
        ("http://192.0.2.7:8080/a", True),
        ("http://192.0.2.7:22/a", False),
        ("http://[::1]/a", True),
        ("https://[/a", False),
        ("https://example.com:x/a", False),
    ],
)
def test_a_url_is_read_where_its_host_is_named(url: str, allowed: bool) -> None:
    assert RULES.allows(url) is allowed


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("10.1.255.255", True),
        ("10.2.0.1", False),
        ("127.0.0.1", False),
        ("169.254.169.254", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", True),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:10.1.0.1", True),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
        ("nonsense", False),
    ],
)
def test_an_address_is_spoken_to_where_it_is_public_or_named(address: str, allowed: bool) -> None:
    assert RULES.allows_address(address) is allowed


def test_nothing_is_open_unless_named() -> None:
    assert not ReadingRules().allows("https://example.com/a")


@pytest.mark.parametrize("entry", ["", "https://example.com", "a b", "*", "10.0.0.0/33", "-a"])
def test_an_entry_that_is_neither_host_nor_network_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="such as"):
        ReadingRules([entry])
