/* The last script of a page: show the pieces. */
if (document.readyState === "loading") addEventListener("DOMContentLoaded", lmemLive.showAll);
else lmemLive.showAll();
