/* Shows what a reference leads to, a figure, a table, literature or a term, while a mouse or the
   keyboard's focus is on it. What it shows is in the page's template, made by previews.py; a finger
   follows the link as ever. */
"use strict";

{
  const AFTER = 150, FOR = 300; // milliseconds until it opens, and stays for a mouse on its way there
  const GAP = 4, RIM = 8; // pixels to the reference, and to the sides of the screen
  const parts = [...document.getElementById("previews").content.children];
  const previews = new Map(parts.map((part) => [part.dataset.of, part]));
  const card = document.createElement("div");
  card.id = "preview";
  card.role = "tooltip";
  card.popover = "manual";
  document.querySelector(".bd-content").append(card);
  let link = null, timer = 0;

  const inTime = (wait, act) => {
    clearTimeout(timer);
    timer = setTimeout(act, wait);
  };

  /** Below the reference, or above it where there is no room; of either side the card is half. */
  const place = () => {
    if (!link) return;
    const at = link.getClientRects()[0], size = card.getBoundingClientRect();
    const below = at.bottom + GAP;
    const top = below + size.height <= innerHeight ? below : at.top - GAP - size.height;
    const most = document.documentElement.clientWidth - RIM - size.width;
    card.style.top = `${Math.max(0, top)}px`;
    card.style.left = `${Math.max(RIM, Math.min(at.left, most))}px`;
  };

  const close = () => {
    clearTimeout(timer);
    link?.removeAttribute("aria-describedby");
    link = null;
    card.hidePopover();
  };

  const open = (reference) => {
    close();
    link = reference;
    const preview = previews.get(link.getAttribute("href"));
    card.replaceChildren(...preview.cloneNode(true).children);
    link.setAttribute("aria-describedby", card.id);
    card.showPopover();
    place();
  };

  /** The reference with a preview that an element is in. */
  const referenceOf = (element) => {
    const found = element.closest("article a[href]");
    return found && previews.has(found.getAttribute("href")) ? found : null;
  };

  card.addEventListener("load", place, { capture: true }); // of a picture, which has its size then
  document.addEventListener("pointerover", (event) => {
    if (event.pointerType === "touch") return;
    const reference = referenceOf(event.target);
    if (card.contains(event.target) || (link && reference === link)) clearTimeout(timer);
    else if (reference) inTime(AFTER, () => open(reference));
    else if (!link?.matches(":focus-visible")) inTime(FOR, close);
  });
  document.addEventListener("focusin", (event) => {
    const reference = referenceOf(event.target);
    if (reference?.matches(":focus-visible")) open(reference);
    else close();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
  });
  document.addEventListener("focusout", close);
  document.addEventListener("click", close);
  window.addEventListener("pagehide", close);
  window.addEventListener("scroll", place, { capture: true, passive: true });
}
