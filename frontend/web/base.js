// What every page runs: htmx, which asks for parts of pages, and what the keyboard reaches from everywhere.
import "htmx.org";
import "./_palette.js";
