// The label page works without this script, which adds keys and shows the next record in place.
const area = () => document.getElementById("labelling");
let isSending = false;

function say(words) {
  const status = document.getElementById("label-status");
  status.textContent = words;
  status.className = words ? "notice" : "quiet";
}

// The person who typed a number goes on typing; others go on with the keys.
function showRecord(fresh) {
  area().replaceChildren(...fresh.childNodes);
  (area().querySelector("[autofocus]") ?? area()).focus({ preventScroll: true });
  if (area().getBoundingClientRect().top < 0) area().scrollIntoView();
}

async function send(form, button) {
  // A key that is pressed before the next record is there would label a record unseen.
  if (isSending) return;
  isSending = true;
  const body = new URLSearchParams(new FormData(form));
  if (button?.name) body.append(button.name, button.value);
  try {
    const reply = await fetch(form.getAttribute("action"), { method: "POST", body, headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await reply.text(), "text/html");
    const fresh = page.getElementById("labelling");
    say(fresh ? "" : page.querySelector(".notice")?.textContent ?? `${reply.status}`);
    if (fresh) showRecord(fresh);
    if (fresh && reply.redirected) history.replaceState(null, "", reply.url);
  } catch {
    say(document.getElementById("label-status").dataset.silent);
  } finally {
    isSending = false;
  }
}

document.addEventListener("submit", (event) => {
  // Training leads to the page of its job.
  if (!area().contains(event.target) || event.target.matches("[data-new-page]")) return;
  event.preventDefault();
  send(event.target, event.submitter);
});

// The digits of a keyboard count by their place: on some they need the shift key.
function keyOf(event) {
  if (event.ctrlKey || event.metaKey) return event.key === "z" ? "u" : "";
  if (event.key === "?") return "n";
  return /^(?:Digit|Numpad)(\d)$/.exec(event.code)?.[1] ?? event.key.toLowerCase();
}

document.addEventListener("keydown", (event) => {
  const field = event.target.closest?.("input, textarea, select");
  const isTyping = field && (field.type !== "number" || event.ctrlKey || event.metaKey);
  const key = keyOf(event);
  if (isTyping || event.altKey || event.repeat || !key) return;
  const found = key === "/" ? area().querySelector("[data-search]") : area().querySelector(`[data-key="${CSS.escape(key)}"]`);
  if (!found) return;
  event.preventDefault();
  if (found.matches("button")) found.click();
  else found.focus();
});
