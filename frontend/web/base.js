// What every page runs: htmx, which asks for parts of pages, and what the keyboard reaches from everywhere.
import "htmx.org";
import "./_palette.js";

// On a phone the ways to other pages are wider than it: the one to this page is brought into view.
const ways = document.querySelector(".ways-to");
const here = ways?.querySelector("[aria-current]");
if (here) ways.scrollLeft = here.offsetLeft - ways.offsetLeft - (ways.clientWidth - here.clientWidth) / 2;
