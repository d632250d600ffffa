"""The pages: HTML, made on the server."""

from portal.web.answers import error_page

__all__ = ["error_page"]
