// Follows a log: lines come as server-sent events and are put behind those that are there. No more than
// `data-most` are kept. While the tab is hidden nothing is asked for; then it goes on behind the last line.
const part = (name) => document.querySelector(`[data-tail="${name}"]`);
const button = part("follow"), list = part("lines"), most = Number(button.dataset.most);
const SILENCE = 45000; // The server says something every 15 s; after so long the connection is dead.
let source = null, following = false, last = "", dropped = 0, heard = 0, pause = 1000, again = 0, full = "";

function open() {
  close();
  if (!following || document.hidden) return;
  const from = button.dataset.from + (last ? `&after=${encodeURIComponent(last)}` : "");
  source = new EventSource(from);
  heard = Date.now();
  state("Connecting");
  source.onopen = () => {
    heard = Date.now();
    pause = 1000;
    state("Following");
  };
  source.addEventListener("lines", (event) => {
    heard = Date.now();
    last = event.lastEventId || last;
    add(JSON.parse(event.data));
  });
  source.addEventListener("still", () => (heard = Date.now()));
  source.addEventListener("end", open);
  source.onerror = retry;
}

function close() {
  source?.close();
  source = null;
  clearTimeout(again);
}

// Our own pauses: the browser's would ask for the same address, without the last line.
function retry() {
  close();
  if (!following || document.hidden) return;
  state(`No connection; trying again in ${Math.round(pause / 1000)} s`);
  again = setTimeout(open, pause);
  pause = Math.min(pause * 2, 30000);
}

function add({ html, gap, problem }) {
  if (problem) say(problem);
  else if (gap) say("Lines may be missing before these: there were more than can be followed, or you were away for too long.");
  const rows = new DOMParser().parseFromString(html, "text/html").querySelectorAll("li");
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  const fresh = document.createDocumentFragment();
  let skipped = Math.max(0, rows.length - most);
  for (const row of [...rows].slice(-most)) {
    if (!document.getElementById(row.id)) fresh.append(document.importNode(row, true));
  }
  list.append(fresh);
  while (list.childElementCount > most) {
    list.firstElementChild.remove();
    skipped += 1;
  }
  dropped += skipped;
  if (atEnd) list.scrollTop = list.scrollHeight;
  const older = dropped ? `; ${dropped.toLocaleString("en")} older ones dropped, ${most.toLocaleString("en")} are kept` : "";
  part("count").textContent = `${list.childElementCount.toLocaleString("en")} lines${older}`;
}

function state(words) {
  if (full !== words) part("state").textContent = full = words;
}

function say(words) {
  const note = part("note");
  note.hidden = !words;
  note.textContent = words;
}

button.addEventListener("click", () => {
  following = !following;
  button.textContent = following ? "Pause" : "Go on";
  part("region").hidden = false;
  say("");
  if (following) open();
  else {
    close();
    state("Paused");
  }
});
document.addEventListener("visibilitychange", () => {
  if (!following) return;
  if (document.hidden) {
    close();
    state("Stopped while the tab is hidden");
  } else open();
});
setInterval(() => {
  if (source && Date.now() - heard > SILENCE) retry();
}, 5000);
document.querySelector(".line--meant")?.scrollIntoView({ block: "center" });
document.documentElement.dataset.hydrated = "";
