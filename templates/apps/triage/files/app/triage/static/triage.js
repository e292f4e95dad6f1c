// Keys and small comforts. Everything here also works without this file, by links and forms.
"use strict";

const MODIFIERS = ["altKey", "ctrlKey", "metaKey"];

function isTyping(target) {
  return target.closest("input, select, textarea, [contenteditable]") !== null;
}

function moveInList(step) {
  const links = [...document.querySelectorAll("a.open")];
  if (links.length === 0) return false;
  const here = links.indexOf(document.activeElement);
  const next = here < 0 ? (step > 0 ? 0 : links.length - 1) : here + step;
  const link = links[Math.min(Math.max(next, 0), links.length - 1)];
  link.focus();
  link.scrollIntoView({ block: "nearest" });
  return true;
}

function follow(selector) {
  const link = document.querySelector(selector);
  if (link) link.click();
  return link !== null;
}

function useControl(key) {
  const control = document.querySelector(`[data-key="${key}"]`);
  if (!control) return false;
  if (control instanceof HTMLDetailsElement) {
    control.open = true;
    control.querySelector("textarea, input").focus();
  } else {
    control.click();
  }
  return true;
}

const ACTIONS = {
  j: () => moveInList(1) || follow('a[rel="next"]'),
  k: () => moveInList(-1) || follow('a[rel="prev"]'),
  u: () => follow("a[data-up]"),
  a: () => useControl("a"),
  e: () => useControl("e"),
  r: () => useControl("r"),
  "?": showKeys,
};

function showKeys() {
  const dialog = document.getElementById("keys-dialog");
  if (!dialog.open) dialog.showModal();
  return true;
}

document.addEventListener("keydown", (event) => {
  if (isTyping(event.target)) {
    if (event.key === "Escape") event.target.blur();
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.target.closest("details")?.querySelector("[data-submit]")?.click();
    }
    // Enter in a line of text would press the form's first button, which accepts the draft.
    if (event.key === "Enter" && event.target.matches(".decide input")) {
      event.preventDefault();
      event.target.closest("details").querySelector("[data-submit]").click();
    }
    return;
  }
  if (MODIFIERS.some((name) => event[name])) return;
  if (document.querySelector("dialog[open]")) return;
  const action = ACTIONS[event.key];
  if (action && action()) event.preventDefault();
});

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-keys]");
  if (!link) return;
  event.preventDefault();
  showKeys();
});

document.addEventListener("change", (event) => {
  event.target.closest("form[data-auto-submit]")?.requestSubmit();
});

// A second click while the first is on its way would only be refused.
document.addEventListener("submit", (event) => {
  if (!event.target.matches(".decide")) return;
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "yes";
});

// Coming back by the browser's history shows the page as it was left, with its form still marked.
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll(".decide")) delete form.dataset.sent;
});

document.documentElement.classList.add("js");
