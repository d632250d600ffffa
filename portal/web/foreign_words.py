"""What the libraries below Portal say to people on its error pages."""

from __future__ import annotations

from portal.model.sentence import Sentence

#: Werkzeug's words for faults that come up before any of Portal's own code; here they are found, to be translated.
FOREIGN_WORDS = (
    Sentence("The method is not allowed for the requested URL."),
    Sentence("The data value transmitted exceeds the capacity limit."),
    Sentence("The browser (or proxy) sent a request that this server could not understand."),
    Sentence("The server does not support the media type transmitted in the request."),
)
