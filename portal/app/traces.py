"""Sends OpenTelemetry traces, where settings name somebody who takes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from flask import Flask

from portal.api.edge import REQUEST_ID, ROUTE
from portal.app.portal import Portal
from portal.errors import SettingsError
from portal.model.trace import follow


@dataclass(frozen=True, slots=True)
class Traces:
    """Traces that are being sent: `around` has the requests of an application traced too, `stop` sends the rest."""

    around: Callable[[Flask], None]
    stop: Callable[[], None]


def start_traces(portal: Portal) -> Traces:
    """Trace statements, git commands, refreshes, tasks.

    Raises `SettingsError` where the libraries are not installed. They are imported here, and nowhere else.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
        from opentelemetry.trace import Status, StatusCode  # noqa: PLC0415
    except ImportError as error:
        raise SettingsError('traces: expected the packages of "portal[otel]"; pip install "portal[otel]"') from error
    about = Resource.create({"service.name": "portal", "service.version": version("portal")})
    provider = TracerProvider(resource=about)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=portal.settings.traces)))
    tracer = provider.get_tracer("portal")

    @contextmanager
    def span(name: str, known: Mapping[str, str]) -> Iterator[None]:
        given = {f"portal.{key}": value for key, value in known.items()}
        # What an exception says may be a secret; that there was one, of which type, is not.
        with tracer.start_as_current_span(
            name, attributes=given, record_exception=False, set_status_on_exception=False
        ) as begun:
            try:
                yield
            except BaseException as error:
                begun.set_status(Status(StatusCode.ERROR, type(error).__name__))
                raise

    end_following = follow(span)
    end_statements = portal.database.trace()

    def around(app: Flask) -> None:
        app.wsgi_app = OpenTelemetryMiddleware(  # type: ignore[method-assign]  # as Flask has it
            app.wsgi_app, request_hook=_begin, response_hook=_end, tracer_provider=provider
        )

    def stop() -> None:
        end_following()
        end_statements()
        provider.shutdown()

    return Traces(around, stop)


def _begin(span: Any, environ: dict[str, Any]) -> None:
    """Take the query out of what is told of a request: codes of sign-in stand there."""
    if span is not None and span.is_recording():
        span.set_attribute("http.target", environ["PATH_INFO"])
        span.set_attribute("http.url", environ["PATH_INFO"])


def _end(span: Any, environ: dict[str, Any], _status: str, _headers: Any) -> None:
    """Tell the route of a request, and its id."""
    if span is not None and span.is_recording():
        route = environ.get(ROUTE, "")
        span.set_attribute("portal.request_id", environ.get(REQUEST_ID, ""))
        if route:
            span.set_attribute("http.route", route)
            span.update_name(f"{environ['REQUEST_METHOD']} {route}")
