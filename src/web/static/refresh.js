// Keeps the page current: fetches it anew, changes what differs, and says so when that fails. The page is complete
// without. Scroll position, focus and selection stay, because nodes that are alike are kept.
"use strict";

(() => {
  const { refresh: period, staleAfter, staleIcon } = document.body.dataset;
  const interval = Number(period);
  const lost = document.getElementById("lost");
  const pause = document.getElementById("pause");
  const announcement = document.getElementById("announcement");
  const icon = document.getElementById("icon");
  let paused = false;
  let failing = false;
  let timer;
  // The request under way: an older answer must not overwrite a newer one.
  let asking;
  let arrived = Date.now();
  let title = document.title;
  let image = icon.getAttribute("href");

  const picture = () => document.getElementById("picture").dataset;
  const mood = () => document.getElementById("condition").dataset.mood;

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
    const before = mood();
    const focused = document.activeElement;
    showServices(fresh);
    for (const region of document.querySelectorAll("[data-live]")) {
      const other = fresh.getElementById(region.id);
      if (other) morph(region, other);
    }
    // A node that was moved has lost its focus.
    if (focused && focused !== document.activeElement && focused.isConnected) {
      focused.focus({ preventScroll: true });
    }
    title = fresh.title;
    image = fresh.getElementById("icon").getAttribute("href");
    if (mood() !== before) {
      const said = document.querySelectorAll("#condition .headline, #condition .trouble strong");
      announcement.textContent = [...said].map((element) => element.textContent.trim()).join(". ");
    }
  }

  // While nothing is known of the services, their part of the page is hidden, with what was typed into its form.
  function showServices(fresh) {
    const here = document.getElementById("all");
    const there = fresh.getElementById("all");
    if (here) here.hidden = !there;
    else if (there) document.getElementById("main").append(document.importNode(there, true));
    document.getElementById("skip").hidden = !there;
  }

  // Another build has other files, and what it sends is made for these.
  function isOutdated(fresh) {
    const files = (page) =>
      [...page.querySelectorAll("script[src], link[rel=stylesheet]")].map(
        (element) => element.getAttribute("src") ?? element.getAttribute("href"),
      );
    return String(files(fresh)) !== String(files(document));
  }

  // Whether a form holds what was not sent yet, and loading anew would lose it.
  function isTyped() {
    return [...document.querySelectorAll("form input")].some((input) => input.value !== input.defaultValue);
  }

  // Browsers slow this down in a tab that is hidden, whose title and icon are to be seen all the same.
  async function refresh() {
    clearTimeout(timer);
    asking?.abort();
    asking = undefined;
    if (paused) return;
    const mine = new AbortController();
    asking = mine;
    const limit = setTimeout(() => mine.abort(), Math.max(interval, 5000));
    try {
      const answer = await fetch(location.href, { cache: "no-store", signal: mine.signal });
      if (!answer.ok) throw new Error(`it answers ${answer.status}`);
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (!fresh.getElementById("picture")) throw new Error("something else answers");
      if (mine !== asking) return;
      failing = false;
      arrived = Date.now();
      if (isOutdated(fresh) && !isTyped()) location.reload();
      else show(fresh);
    } catch {
      if (mine !== asking) return;
      failing = true;
    } finally {
      clearTimeout(limit);
    }
    tick();
    timer = setTimeout(refresh, interval);
  }

  // Says how old the picture is, whoever is to blame for that.
  function tick() {
    const passed = Math.max(0, Math.round((Date.now() - arrived) / 1000));
    const known = picture().age !== undefined;
    const seconds = Number(picture().age || 0) + passed;
    const age = document.getElementById("age");
    if (age) age.textContent = seconds < 120 ? `${seconds} s` : `${Math.floor(seconds / 60)} min`;
    const stale = known && seconds * 1000 >= Number(staleAfter);
    warn(failing, stale, known ? `The picture is ${seconds} s old.` : "");
    document.body.classList.toggle("stale", failing || stale);
    let wanted = paused ? `${title} (paused)` : title;
    if (stale) wanted = "(stale) OpenStack heartbeats";
    if (failing) wanted = "(connection lost) OpenStack heartbeats";
    if (document.title !== wanted) document.title = wanted;
    const shown = failing || stale ? staleIcon : image;
    if (icon.getAttribute("href") !== shown) icon.setAttribute("href", shown);
  }

  function warn(failing, stale, detail) {
    lost.hidden = !failing && !stale;
    let cause = "";
    if (stale) cause = paused ? "The refresh is paused, and what is shown is old. " : "What is shown is old. ";
    if (failing) cause = "Connection to the exporter lost: what is shown may no longer be true. ";
    if (cause !== (lost.dataset.said ?? "")) {
      lost.dataset.said = cause;
      const counting = document.createElement("span");
      // The number counts, and is not to be read out each second.
      counting.setAttribute("aria-live", "off");
      lost.replaceChildren(cause, counting);
    }
    if (cause) lost.lastChild.textContent = detail;
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
