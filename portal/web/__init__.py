"""The pages: HTML, made on the server."""

from portal.web.pages import error_page, web_blueprint

__all__ = ["error_page", "web_blueprint"]
