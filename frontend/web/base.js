// What every page runs: htmx, which asks for parts of pages.
import "htmx.org";
