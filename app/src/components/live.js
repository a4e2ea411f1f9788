// Keeps a page fresh: asks the server for what is read, as HTML, and puts it in place of what stands
// there. What somebody has opened, typed or focused stays as it is. The server says when there is
// something newer (`/events`); where that can't be heard, the page asks in its own rhythm.
const PATIENCE = 15000; // An answer that takes longer is given up; the server gives up after 10 s.
const LONGEST = 40000; // The longest pause after failures.
const HEARD = 30000; // The pause while the server's word is heard: ages grow all the same.
const root = document.getElementById("live");
const part = (name) => document.querySelector(`[data-refresh="${name}"]`);
let paused = false, over = false, touched = false, failures = 0;
let asked = Date.now(), received = asked, underWay = null, stream = null, deaf = 0;

for (const event of ["pointerdown", "keydown"]) addEventListener(event, () => (touched = true));

async function refresh() {
  underWay?.abort();
  const mine = (underWay = new AbortController());
  const limit = setTimeout(() => mine.abort(), PATIENCE);
  const from = root.dataset.from + (touched ? (root.dataset.from.includes("?") ? "&" : "?") + "active" : "");
  touched = false;
  asked = Date.now();
  try {
    const answer = await fetch(from, { redirect: "manual", signal: mine.signal });
    if (answer.type === "opaqueredirect") {
      over = true;
      say("Your session is over; what you see is old.", true);
      return;
    }
    if (!answer.ok) throw new Error(`The portal answered ${answer.status}.`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("live");
    if (!fresh) throw new Error("The portal's answer could not be understood.");
    replace(fresh);
    document.dispatchEvent(new Event("live"));
    received = Date.now();
    failures = 0;
    say(paused ? "Refreshing is paused." : "");
  } catch (error) {
    if (underWay !== mine) return;
    failures += 1;
    const why = error.name === "Error" ? error.message : "The portal can't be reached.";
    say(`Refreshing fails: ${why} What you see is old; trying again.`);
  } finally {
    clearTimeout(limit);
    if (underWay === mine) underWay = null;
    showAge();
  }
}

// The focus goes to the region it was in when what had it is gone.
function replace(fresh) {
  const focused = document.activeElement;
  const region = focused?.closest("#live section")?.id;
  morph(root, document.importNode(fresh, true));
  if (region && !focused.isConnected) document.getElementById(region)?.focus({ preventScroll: true });
}

// Makes `old` like `fresh` by changing no more than what differs.
function morph(old, fresh) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  // What is said of refreshing is this script's.
  if ("refresh" in old.dataset) return;
  if (held(old)) return follow(old, fresh);
  // Whether something is open is the person's affair.
  const own = (name) => name === "open" || name === "autofocus";
  for (const { name } of [...old.attributes]) {
    if (!own(name) && !fresh.hasAttribute(name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (!own(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  let at = old.firstChild;
  for (const node of [...fresh.childNodes]) {
    // What has a name is found again behind what has gone.
    let same = idOf(node) ? at : null;
    while (same && idOf(same) !== idOf(node)) same = same.nextSibling;
    while (same && at !== same) at = dropped(at);
    if (at && alike(at, node)) {
      const after = at.nextSibling;
      morph(at, node);
      at = after;
    } else old.insertBefore(node, at);
  }
  while (at) at = dropped(at);
}

function dropped(node) {
  const after = node.nextSibling;
  node.remove();
  return after;
}

function alike(one, other) {
  return one.nodeType === other.nodeType && one.nodeName === other.nodeName && idOf(one) === idOf(other);
}

// The attribute: of a form with a field named "id" the property is that field.
const idOf = (node) => (node.nodeType === Node.ELEMENT_NODE && node.getAttribute("id")) || "";

// A form that somebody is at: the focus is in it, a password, or what was wrong with it.
function held(element) {
  const { hold } = element.dataset;
  if (hold === undefined || hold === "always") return hold === "always";
  const typed = [...element.querySelectorAll("input")].some((input) => input.type === "password" && input.value);
  return typed || element.contains(document.activeElement) || element.querySelector("[role=alert]") !== null;
}

// What is held stays but for these parts; one that comes only once stays from then on.
function follow(old, fresh) {
  for (const part of old.querySelectorAll("[data-follow]")) {
    const newer = fresh.querySelector(`#${part.id}`);
    const stays = part.dataset.follow === "once" && part.firstElementChild;
    if (newer && !stays) morph(part, newer);
  }
}

function say(words, signIn) {
  const state = part("state");
  if (state.dataset.words === words) return;
  state.dataset.words = words;
  state.replaceChildren();
  if (!words) return;
  const notice = document.createElement("div");
  notice.className = `notice notice--${words === "Refreshing is paused." ? "plain" : "warn"}`;
  notice.append(words);
  if (signIn) {
    const link = document.createElement("a");
    // Not where the page is: that may be a form's address.
    link.href = `/sign-in?notice=session-over&next=${encodeURIComponent(part("now").getAttribute("href"))}`;
    link.textContent = "Sign in again";
    notice.append(" ", link);
  }
  state.append(notice);
}

function showAge() {
  const seconds = Math.max(0, Math.floor((Date.now() - received) / 1000));
  const age = seconds < 1 ? "now" : seconds < 60 ? `${seconds} s ago` : `${Math.floor(seconds / 60)} min ago`;
  part("age").textContent = `As of ${age}`;
  if (!root.dataset.now) return;
  const now = Number(root.dataset.now) + Math.max(0, Date.now() - received);
  for (const time of root.querySelectorAll("time.age")) {
    const words = ago(Date.parse(time.dateTime), now);
    if (time.firstChild.data !== words) time.firstChild.data = words;
  }
}

// As the server writes ages (`age.rs`, `time.rs`).
function ago(at, now) {
  const seconds = Math.floor(Math.abs(now - at) / 1000);
  if (at > now + 5000) return `in ${inWords(seconds)}`;
  return at >= now || seconds < 1 ? "now" : `${inWords(seconds)} ago`;
}

function inWords(seconds) {
  const days = Math.floor(seconds / 86400);
  const [hours, minutes] = [Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  const pair = (large, unit, small, less) => `${large} ${unit}${small ? ` ${small} ${less}` : ""}`;
  if (days) return pair(days, "d", hours, "h");
  if (hours) return pair(hours, "h", minutes, "min");
  return minutes ? `${minutes} min` : `${seconds} s`;
}

part("pause").addEventListener("click", () => {
  if (over) return;
  paused = !paused;
  part("pause").textContent = paused ? "Go on" : "Pause";
  say(paused ? "Refreshing is paused." : "");
  if (!paused) refresh();
  listen();
});
part("now").addEventListener("click", (event) => {
  event.preventDefault();
  refresh();
});
// A stream that breaks is taken up by the browser, with what it heard last. One that the server refuses
// is tried again after a while; meanwhile the page asks by itself.
function listen() {
  const wanted = root.dataset.events && !document.hidden && !paused && !over && Date.now() >= deaf;
  if (wanted === Boolean(stream)) return;
  stream?.close();
  stream = null;
  if (!wanted) return;
  stream = new EventSource(root.dataset.events);
  stream.addEventListener("newer", () => {
    if (!underWay) refresh();
  });
  stream.addEventListener("error", () => {
    if (stream?.readyState !== EventSource.CLOSED) return;
    stream = null;
    deaf = Date.now() + HEARD;
  });
}

document.addEventListener("visibilitychange", listen);
setInterval(() => {
  listen();
  if (document.hidden) return;
  showAge();
  if (paused || over || underWay) return;
  const every = stream?.readyState === EventSource.OPEN ? HEARD : Number(root.dataset.every);
  const pause = Math.min(every * 2 ** Math.min(failures, 8), LONGEST);
  const since = Date.now() - asked;
  // A clock that was set back must not stop the page.
  if (since < 0 || since >= pause) refresh();
}, 1000);
listen();
document.documentElement.dataset.hydrated = "";
