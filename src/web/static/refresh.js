// Refreshes the page: fetches it periodically, updates the differences, and warns when that fails. The page works
// without this script. Scroll position, focus and selection survive, because unchanged nodes are kept.
"use strict";

(() => {
  const { refresh: period, staleAfter, staleIcon } = document.body.dataset;
  const interval = Number(period);
  const warning = document.getElementById("stale-warning");
  const pause = document.getElementById("pause");
  const announcement = document.getElementById("announcement");
  const icon = document.getElementById("icon");
  let paused = false;
  let failing = false;
  let timer;
  // The pending request: an older response must not overwrite a newer one.
  let pending;
  let arrived = Date.now();
  let title = document.title;
  let image = icon.getAttribute("href");

  const freshness = () => document.getElementById("freshness").dataset;
  const announcementKey = () => document.getElementById("condition").dataset.announcementKey;

  // Makes `old` equal to `fresh`. Children with an id are matched by it, even if they moved.
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
      if (match !== next) moveTo(match, next);
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

  // Moves `match` before `next`. A moved node loses its selection, so up to two nodes in between are moved to the end
  // instead.
  function moveTo(match, next) {
    const between = [];
    for (let node = next; node && node !== match && between.length < 3; node = node.nextSibling) between.push(node);
    if (between.at(-1)?.nextSibling === match) match.parentNode.append(...between);
    else match.parentNode.insertBefore(match, next);
  }

  function show(fresh) {
    const before = announcementKey();
    const focused = document.activeElement;
    showServices(fresh);
    for (const region of document.querySelectorAll("[data-live]")) {
      const other = fresh.getElementById(region.id);
      if (other) morph(region, other);
    }
    // A moved node loses its focus.
    if (focused && focused !== document.activeElement && focused.isConnected) {
      focused.focus({ preventScroll: true });
    }
    title = fresh.title;
    image = fresh.getElementById("icon").getAttribute("href");
    if (announcementKey() !== before) {
      const parts = document.querySelectorAll("#condition .headline, #condition .trouble strong");
      announcement.textContent = [...parts].map((element) => element.textContent.trim()).join(". ");
    }
  }

  // Without data, the services are hidden rather than removed, to keep what was typed into the form.
  function showServices(fresh) {
    const here = document.getElementById("all");
    const there = fresh.getElementById("all");
    if (here) here.hidden = !there;
    else if (there) document.getElementById("main").append(document.importNode(there, true));
    document.getElementById("skip").hidden = !there;
  }

  // A page of another build needs that build's files.
  function isOutdated(fresh) {
    const files = (page) =>
      [...page.querySelectorAll("script[src], link[rel=stylesheet]")].map(
        (element) => element.getAttribute("src") ?? element.getAttribute("href"),
      );
    return String(files(fresh)) !== String(files(document));
  }

  // Whether a form holds unsent input, which a reload would lose.
  function hasInput() {
    return [...document.querySelectorAll("form input")].some((input) => input.value !== input.defaultValue);
  }

  // Also runs in hidden tabs, whose title and icon stay visible; browsers throttle it there.
  async function refresh() {
    clearTimeout(timer);
    pending?.abort();
    pending = undefined;
    if (paused) return;
    const mine = new AbortController();
    pending = mine;
    const limit = setTimeout(() => mine.abort(), Math.max(interval, 5000));
    try {
      const response = await fetch(location.href, { cache: "no-store", signal: mine.signal });
      if (!response.ok) throw new Error(`HTTP status ${response.status}`);
      const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
      if (!fresh.getElementById("freshness")) throw new Error("not a status page");
      if (mine !== pending) return;
      failing = false;
      arrived = Date.now();
      if (isOutdated(fresh) && !hasInput()) location.reload();
      else show(fresh);
    } catch {
      if (mine !== pending) return;
      failing = true;
    } finally {
      clearTimeout(limit);
    }
    tick();
    timer = setTimeout(refresh, interval);
  }

  // Shows the age of the data, and warns once it is stale.
  function tick() {
    const passed = Math.max(0, Math.round((Date.now() - arrived) / 1000));
    const known = freshness().age !== undefined;
    const seconds = Number(freshness().age || 0) + passed;
    const age = document.getElementById("age");
    if (age) age.textContent = seconds < 120 ? `${seconds} s` : `${Math.floor(seconds / 60)} min`;
    const stale = known && seconds * 1000 >= Number(staleAfter);
    warn(failing, stale, known ? `The data is ${seconds} s old.` : "");
    document.body.classList.toggle("stale", failing || stale);
    let wanted = paused ? `${title} (paused)` : title;
    if (stale) wanted = "(stale) OpenStack heartbeats";
    if (failing) wanted = "(connection lost) OpenStack heartbeats";
    if (document.title !== wanted) document.title = wanted;
    const shown = failing || stale ? staleIcon : image;
    if (icon.getAttribute("href") !== shown) icon.setAttribute("href", shown);
  }

  function warn(failing, stale, detail) {
    warning.hidden = !failing && !stale;
    let cause = "";
    if (stale) cause = paused ? "Refresh is paused, and the data is stale. " : "The data is stale. ";
    if (failing) cause = "Connection to the exporter lost. This page may be outdated. ";
    if (cause !== (warning.dataset.cause ?? "")) {
      warning.dataset.cause = cause;
      const counter = document.createElement("span");
      // Screen readers must not read out the counter each second.
      counter.setAttribute("aria-live", "off");
      warning.replaceChildren(cause, counter);
    }
    if (cause) warning.lastChild.textContent = detail;
  }

  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.textContent = paused ? "Resume refresh" : "Pause refresh";
    tick();
    refresh();
  });
  document.addEventListener("visibilitychange", () => {
    tick();
    refresh();
  });
  addEventListener("pageshow", (event) => event.persisted && refresh());
  addEventListener("online", refresh);
  setInterval(tick, 1000);
  timer = setTimeout(refresh, interval);
})();
