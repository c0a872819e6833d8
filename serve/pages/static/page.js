// Pages work without this; with it they bring themselves up to date.
const LOOK_MS = 5000, TEACHER_MS = 2000, MOST_LOOKS = 300;

async function read(address) {
  const reply = await fetch(address, { headers: { Accept: "text/html" }, cache: "no-cache" });
  if (!reply.ok && reply.status !== 400) throw new Error(reply.status);
  return new DOMParser().parseFromString(await reply.text(), "text/html");
}

// What is open stays open, and what has the focus keeps it.
function replace(old, fresh) {
  if (old.innerHTML === fresh.innerHTML || old.contains(document.activeElement)) return;
  const open = [...old.querySelectorAll("details")].map((it) => it.open);
  old.innerHTML = fresh.innerHTML;
  old.querySelectorAll("details").forEach((it, at) => { it.open = open[at] ?? false; });
}

async function look() {
  if (document.hidden) return;
  try {
    const page = await read(location.href);
    for (const old of document.querySelectorAll("[data-live]")) {
      const fresh = page.getElementById(old.id);
      if (fresh) replace(old, fresh);
    }
  } catch {
    // The server may be starting anew; the next look finds it.
  }
}

const asked = new WeakMap();

async function ask(box, address) {
  const answer = box.querySelector(".answer");
  const mine = {};
  asked.set(box, mine);
  for (let looks = 0; looks < MOST_LOOKS && asked.get(box) === mine; looks += 1) {
    if (!looks || !document.hidden) {
      const page = await read(address).catch(() => null);
      if (asked.get(box) !== mine) return;
      if (!page && !looks) answer.innerHTML = '<p class="notice">There is no answer; is the server up?</p>';
      if (page) show(answer, page);
    }
    const result = answer.querySelector(".result");
    if (!result || result.dataset.enrichment !== "queued") return;
    await new Promise((done) => setTimeout(done, TEACHER_MS));
  }
}

function show(answer, page) {
  const notice = page.querySelector("main > .notice");
  const fresh = page.querySelector(".answer");
  // Where the key has run out, the page that asks for it has no answer.
  if (!notice && !fresh) location.reload();
  else if (notice) answer.replaceChildren(notice);
  else if (answer.innerHTML !== fresh.innerHTML) answer.innerHTML = fresh.innerHTML;
}

function fill(form, query) {
  // Fields may bear any name, those of a form's own properties too.
  for (const [name, value] of new URLSearchParams(query)) {
    const field = form.querySelector(`[name="${CSS.escape(name)}"]`);
    if (field) field.value = value;
  }
}

for (const box of document.querySelectorAll(".predict-form")) {
  const form = box.querySelector("form");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask(box, `${form.getAttribute("action")}?${new URLSearchParams(new FormData(form))}`);
  });
  box.querySelectorAll(".examples a").forEach((link) => link.addEventListener("click", (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    fill(form, link.search);
    ask(box, link.href);
  }));
  if (box.querySelector('.result[data-enrichment="queued"]')) ask(box, location.href);
}
if (document.querySelector("[data-live]")) setInterval(look, LOOK_MS);
function unfold(hash) {
  const target = document.getElementById(hash.slice(1));
  if (target instanceof HTMLDetailsElement) target.open = true;
}

unfold(location.hash);
document.querySelectorAll('a[href^="#"]').forEach((link) => link.addEventListener("click", () => unfold(link.hash)));
