// Shows what a task's steps do while they do it: lines as they are written, the rest of the page anew from the server
// with each change of a state. Without this script reloading the page shows the same.
const root = document.getElementById("task");
const ENDED = new Set(["completed", "failed", "skipped", "cancelled"]);
const MOST_LINES = 2000;
const AGAIN_MS = 3000;
const commands = /\x1b(?:\[[0-?]*[ -\/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])/g;
const unprintable = /[\x00-\x08\x0b-\x1f\x7f]/g;
const level = /^\s*\[?(error|warn|warning|info|debug)(?:\]|:)/i;
// The server's clock and this one's may differ.
const ahead = Date.now() - Number(root.dataset.now);
let after = Number(root.dataset.after);
let isRefreshing = false;
let isStale = false;

const stepOf = (id) => {
  const named = [...root.querySelectorAll("[data-step]")].filter((step) => step.dataset.step === String(id));
  return named.find((step) => !ENDED.has(step.dataset.status)) ?? named.at(-1);
};

function show(event, step) {
  const log = step.querySelector(".log");
  const list = log.querySelector("ol");
  const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  const text = String(event.body.message ?? "").replace(commands, "").replaceAll("\r\n", "\n").replace(unprintable, "");
  const line = document.createElement("li");
  const name = level.exec(text)?.[1].toLowerCase();
  const said = event.body.status === "failed" ? "error" : name === "warning" ? "warn" : name;
  if (said) line.className = said;
  const time = document.createElement("time");
  time.textContent = event.createdAt.slice(11, 19);
  const words = document.createElement("span");
  words.textContent = text;
  line.append(time, " ", words);
  list.append(line);
  while (list.childElementCount > MOST_LINES) list.firstElementChild.remove();
  if (isAtEnd) log.scrollTop = log.scrollHeight;
}

// Puts what the server makes of the task's parts over what is shown; logs stay as they are.
async function refresh() {
  if (isRefreshing) {
    isStale = true;
    return;
  }
  isRefreshing = true;
  try {
    const response = await fetch(`${location.pathname}?lines=0`, { headers: { Accept: "text/html" } });
    const page = response.redirected || !response.ok ? null : new DOMParser().parseFromString(await response.text(), "text/html");
    // Gone, or nobody is signed in any more: the page that says so comes instead.
    if (!page?.getElementById("task")) return location.reload();
    for (const fresh of page.querySelectorAll("[data-part]")) {
      const shown = root.querySelector(`[data-part="${fresh.dataset.part}"]`);
      if (shown?.tagName === "PROGRESS") {
        shown.value = fresh.value;
        shown.parentElement.className = fresh.parentElement.className;
        continue;
      }
      if (!shown || shown.innerHTML === fresh.innerHTML) continue;
      const focused = shown.contains(document.activeElement) ? document.activeElement.id : "";
      shown.replaceChildren(...document.adoptNode(fresh).childNodes);
      if (focused) document.getElementById(focused)?.focus();
    }
    document.title = page.title;
  } finally {
    isRefreshing = false;
  }
  if (isStale) {
    isStale = false;
    await refresh();
  }
}

function hear(message) {
  const event = JSON.parse(message.data);
  if (event.id <= after) {
    // The end is told whatever was told before.
    if (message.type === "completion") refresh();
    return;
  }
  after = event.id;
  const { status, stepId } = event.body;
  const step = stepId === undefined ? undefined : stepOf(stepId);
  if (step) {
    show(event, step);
    if (status && message.type === "log") {
      step.dataset.status = status;
      step.querySelector("details").open = status === "processing" || status === "failed";
    }
  }
  if (message.type === "recovered") for (const other of root.querySelectorAll("[data-step]")) other.dataset.status = "waiting";
  if (status || message.type !== "log" || !step) refresh();
}

function follow() {
  const stream = new EventSource(`${root.dataset.stream}?after=${after}`);
  for (const type of ["log", "cancelled", "recovered"]) stream.addEventListener(type, hear);
  stream.addEventListener("completion", (message) => {
    stream.close();
    hear(message);
  });
  stream.addEventListener("error", () => {
    // The browser comes back by itself, with the last event's number, unless it was told that nothing is there.
    if (stream.readyState === EventSource.CLOSED) setTimeout(() => refresh().catch(() => {}).then(follow), AGAIN_MS);
  });
}

function span(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const two = (number) => String(number).padStart(2, "0");
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${two(Math.floor((seconds % 3600) / 60))} min`;
}

if ("live" in root.dataset) {
  follow();
  setInterval(() => {
    for (const shown of root.querySelectorAll("[data-since]")) shown.textContent = span(Date.now() - ahead - Number(shown.dataset.since));
  }, 1000);
}
for (const log of root.querySelectorAll("details[open] .log")) log.scrollTop = log.scrollHeight;
