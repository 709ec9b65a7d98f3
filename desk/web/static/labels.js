"use strict";
// Keys for the buttons of the page: each names its own in data-keys. "p" shows the picture's pixels
// or smooths them. Without this script the buttons work by themselves.

const picture = document.querySelector(".crop");
let sent = false;

function pixels(on) {
  picture?.classList.toggle("pixels", on);
}

pixels(sessionStorage.getItem("pixels") === "1");
addEventListener("pageshow", () => { sent = false; });
addEventListener("submit", (event) => {
  if (sent) event.preventDefault(); // a key that was held down
  sent = true;
});
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
  if (event.target.closest("input:not([type=hidden]), select, textarea")) return;
  if (event.key === "p") {
    const on = sessionStorage.getItem("pixels") !== "1";
    sessionStorage.setItem("pixels", on ? "1" : "0");
    pixels(on);
    return;
  }
  for (const button of document.querySelectorAll("button[data-keys]")) {
    if (button.dataset.keys.split(" ").includes(event.key) && !button.disabled) {
      event.preventDefault();
      button.click();
      return;
    }
  }
});
