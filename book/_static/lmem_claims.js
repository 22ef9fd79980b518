// The filter of the claims ledger: show all claims, or those with one verdict. Without JavaScript all claims are shown.
const group = document.querySelector(".lmem-filter");
const buttons = [...group.querySelectorAll("button")];

function choose(verdict) {
  for (const button of buttons) button.setAttribute("aria-pressed", button.dataset.verdict === verdict);
  for (const claim of document.querySelectorAll(".lmem-claim")) {
    claim.hidden = verdict !== "" && !claim.classList.contains(verdict);
  }
}

for (const button of buttons) button.addEventListener("click", () => choose(button.dataset.verdict));
window.addEventListener("hashchange", () => {
  choose(""); // a link leads to a claim that may be hidden
  document.getElementById(location.hash.slice(1))?.scrollIntoView();
});
group.hidden = false;
