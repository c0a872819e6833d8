// Pages work without this script, which refreshes them in place.
const REFRESH_MS = 5000, POLL_MS = 2000, MOST_POLLS = 300;
const QUEUED = '.result[data-source="student"][data-enrichment="queued"]';

async function fetchPage(url) {
  const reply = await fetch(url, { headers: { Accept: "text/html" }, cache: "no-cache" });
  // A page says what is wrong; an overloaded server sends none.
  if (!reply.ok && !reply.headers.get("Content-Type")?.startsWith("text/html")) throw new Error(reply.status);
  const page = new DOMParser().parseFromString(await reply.text(), "text/html");
  showLocalTimes(page);
  return page;
}

const two = (number) => String(number).padStart(2, "0");

function localText(at) {
  const clock = `${two(at.getHours())}:${two(at.getMinutes())}`;
  return { clock, full: `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${clock}` };
}

// Times are sent in UTC; those who have this script see them in the time zone of their device.
function showLocalTimes(page) {
  for (const it of page.querySelectorAll("time[datetime]")) {
    const at = new Date(it.dateTime);
    if (!Number.isNaN(at.getTime())) it.textContent = localText(at).full;
  }
  // A tick of a chart has room for the clock alone.
  for (const it of page.querySelectorAll("text[data-time]")) {
    it.textContent = localText(new Date(it.dataset.time)).clock;
  }
  for (const it of page.querySelectorAll(".chart title")) {
    it.textContent = it.textContent.replace(/^(\S{10}) (\d\d:\d\d) UTC/, (_, day, clock) => localText(new Date(`${day}T${clock}Z`)).full);
  }
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  for (const it of page.querySelectorAll("[data-zone]")) it.textContent = zone ?? it.textContent;
}

// Open details stay open, and a section with the focus is not replaced.
function replace(section, fresh) {
  if (section.innerHTML === fresh.innerHTML || section.contains(document.activeElement)) return;
  const open = [...section.querySelectorAll("details")].map((it) => it.open);
  section.innerHTML = fresh.innerHTML;
  section.querySelectorAll("details").forEach((it, i) => { it.open = open[i] ?? false; });
}

async function refresh() {
  if (document.hidden) return;
  try {
    const page = await fetchPage(location.href);
    for (const section of document.querySelectorAll("[data-live]")) {
      const fresh = page.getElementById(section.id);
      if (fresh) replace(section, fresh);
    }
  } catch {
    // The server may be restarting; the next refresh tries again.
  }
}

const latest = new WeakMap();

// Polls until the teacher's prediction replaces the student's.
async function requestPrediction(box, url) {
  const answer = box.querySelector(".answer");
  const request = {};
  latest.set(box, request);
  for (let polls = 0; polls < MOST_POLLS && latest.get(box) === request; polls += 1) {
    if (!polls || !document.hidden) {
      const page = await fetchPage(url).catch(() => null);
      if (latest.get(box) !== request) return;
      if (!page && !polls) answer.innerHTML = '<p class="notice">No response. Is the server running?</p>';
      // An error while polling may pass.
      if (page && !(polls && page.querySelector("main > .notice"))) show(answer, page);
      if (page && !polls) fillFromRow(box, page);
    }
    const result = answer.querySelector(".result");
    if (!result || !result.matches(QUEUED)) return;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function show(answer, page) {
  const notice = page.querySelector("main > .notice");
  const fresh = page.querySelector(".answer");
  // Neither is there if the key has expired: reloading leads to the sign-in form.
  if (!notice && !fresh) location.reload();
  else if (notice) answer.replaceChildren(notice);
  else if (answer.innerHTML !== fresh.innerHTML) answer.innerHTML = fresh.innerHTML;
}

function fillForm(form, values) {
  for (const field of form.querySelectorAll("[name]")) {
    const value = values.get(field.name) ?? "";
    field.value = value;
    // A date picker cannot show a time zone, nor a number input every number.
    if (value && !field.value && field.matches("input")) {
      field.type = "text";
      field.value = value;
    }
  }
}

// After a look-up, the form shows the inputs of the row.
function fillFromRow(box, page) {
  const fresh = page.querySelector(".predict-form form.try");
  if (!page.querySelector(".answer .result") || !box.matches(".looking-up") || !fresh) return;
  fillForm(box.querySelector("form.try"), new URLSearchParams(new FormData(fresh)));
}

for (const box of document.querySelectorAll(".predict-form")) {
  const form = box.querySelector("form");
  box.querySelectorAll("form").forEach((it) => it.addEventListener("submit", (event) => {
    event.preventDefault();
    box.classList.toggle("looking-up", it !== form);
    requestPrediction(box, `${it.getAttribute("action")}?${new URLSearchParams(new FormData(it))}`);
  }));
  box.querySelectorAll(".examples a").forEach((link) => link.addEventListener("click", (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    box.classList.remove("looking-up");
    fillForm(form, new URLSearchParams(link.search));
    requestPrediction(box, link.href);
  }));
  if (box.querySelector(QUEUED)) requestPrediction(box, location.href);
}
showLocalTimes(document);
if (document.querySelector("[data-live]")) setInterval(refresh, REFRESH_MS);

function openDetails(hash) {
  const target = document.getElementById(hash.slice(1));
  if (target instanceof HTMLDetailsElement) target.open = true;
}

openDetails(location.hash);
document.querySelectorAll('a[href^="#"]').forEach((it) => it.addEventListener("click", () => openDetails(it.hash)));
