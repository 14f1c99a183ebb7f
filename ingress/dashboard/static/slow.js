// Says that an answer is being computed, once a form with `data-slow` was sent.
export function tellOfSlowForms() {
  document.addEventListener("submit", ({ target }) => {
    const waiting = target.matches("[data-slow]") && target.querySelector("[data-waiting]");
    if (waiting) waiting.hidden = false;
  });
  // A page that comes back by the browser's "back" is not waiting any more.
  window.addEventListener("pageshow", () => {
    for (const waiting of document.querySelectorAll("[data-waiting]")) waiting.hidden = true;
  });
}
