// Keeps the page current: fetches it anew, changes what differs, and says so when that fails. The page is complete
// without. Scroll position, focus and selection stay, because nodes that are alike are kept.
"use strict";

(() => {
  const interval = Number(document.body.dataset.refresh);
  const lost = document.getElementById("lost");
  const pause = document.getElementById("pause");
  const announcement = document.getElementById("announcement");
  let paused = false;
  let failing = false;
  let timer;
  let arrived = Date.now();
  let title = document.title;

  const picture = () => document.getElementById("picture").dataset;

  // Makes `old` equal to `fresh`. Children with an id are found again wherever they went.
  function morph(old, fresh) {
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name)) old.removeAttribute(name);
    }
    for (const { name, value } of fresh.attributes) {
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    let next = old.firstChild;
    for (const child of [...fresh.childNodes]) {
      let match = next;
      if (child.id) match = old.querySelector(`:scope > #${CSS.escape(child.id)}`);
      if (!match || match.nodeName !== child.nodeName || (match.id || "") !== (child.id || "")) {
        old.insertBefore(document.importNode(child, true), next);
        continue;
      }
      if (match !== next) reach(match, next);
      next = match.nextSibling;
      if (child.nodeType === Node.ELEMENT_NODE) morph(match, child);
      else if (match.data !== child.data) match.data = child.data;
    }
    while (next) {
      const gone = next;
      next = next.nextSibling;
      gone.remove();
    }
  }

  // Brings `match` to where `next` is: by moving what is in between to the end where that is one element, since
  // what is moved loses its selection.
  function reach(match, next) {
    const between = [];
    for (let node = next; node && node !== match && between.length < 3; node = node.nextSibling) between.push(node);
    if (between.at(-1)?.nextSibling === match) match.parentNode.append(...between);
    else match.parentNode.insertBefore(match, next);
  }

  function show(fresh) {
    const before = Number(picture().down);
    const focused = document.activeElement;
    for (const region of document.querySelectorAll("[data-live]")) {
      const other = fresh.getElementById(region.id);
      if (other) morph(region, other);
    }
    // A node that was moved has lost its focus.
    if (focused && focused !== document.activeElement && focused.isConnected) {
      focused.focus({ preventScroll: true });
    }
    title = fresh.title;
    document.getElementById("icon").href = fresh.getElementById("icon").getAttribute("href");
    const now = Number(picture().down);
    if (now !== before) {
      announcement.textContent = now === 1 ? "1 service is down now." : `${now} services are down now.`;
    }
  }

  // Between a page with services and one without, more differs than the live regions.
  function isAlike(fresh) {
    return Boolean(fresh.getElementById("table")) === Boolean(document.getElementById("table"));
  }

  async function refresh() {
    clearTimeout(timer);
    if (paused || document.hidden) return;
    try {
      const answer = await fetch(location.href, {
        cache: "no-store",
        signal: AbortSignal.timeout(Math.max(interval, 5000)),
      });
      if (!answer.ok) throw new Error(`it answers ${answer.status}`);
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (!fresh.getElementById("picture")) throw new Error("something else answers");
      if (paused) return;
      failing = false;
      arrived = Date.now();
      if (isAlike(fresh)) show(fresh);
      else location.reload();
    } catch {
      failing = true;
    }
    tick();
    clearTimeout(timer);
    timer = setTimeout(refresh, interval);
  }

  // Says how old the picture is, whoever is to blame for that.
  function tick() {
    const passed = Math.max(0, Math.round((Date.now() - arrived) / 1000));
    const known = picture().age !== undefined;
    const seconds = Number(picture().age || 0) + passed;
    const age = document.getElementById("age");
    if (age) age.textContent = seconds < 120 ? `${seconds} s` : `${Math.floor(seconds / 60)} min`;
    lost.hidden = !failing;
    if (failing && lost.dataset.said === undefined) {
      lost.dataset.said = "";
      lost.textContent = "Connection to the exporter lost: what is shown may no longer be true. ";
      const detail = document.createElement("span");
      // The number counts, and is not to be read out each second.
      detail.setAttribute("aria-live", "off");
      lost.append(detail);
    }
    if (failing) {
      lost.lastChild.textContent = known ? `The picture is ${seconds} s old.` : "";
    } else {
      delete lost.dataset.said;
    }
    document.body.classList.toggle("stale", failing);
    const wanted = failing ? "(connection lost) OpenStack heartbeats" : paused ? `${title} (paused)` : title;
    if (document.title !== wanted) document.title = wanted;
  }

  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.textContent = paused ? "Resume refresh" : "Pause refresh";
    tick();
    refresh();
  });
  document.addEventListener("visibilitychange", refresh);
  addEventListener("pageshow", (event) => event.persisted && refresh());
  addEventListener("online", refresh);
  setInterval(tick, 1000);
  timer = setTimeout(refresh, interval);
})();
