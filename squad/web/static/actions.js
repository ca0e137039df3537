// Buttons that change something. They call the same routes as the command line:
// <form data-call="POST /v1/dead/retry" data-body='{"ids":["…"]}' data-sure="Replay it?" data-then="/dead">
(() => {
  "use strict";
  const say = (text, bad) => {
    const box = document.getElementById("told");
    box.textContent = text;
    box.className = bad ? "bad shown" : "shown";
    clearTimeout(say.timer);
    say.timer = setTimeout(() => { box.className = bad ? "bad" : ""; }, bad ? 12000 : 5000);
  };

  const sure = (text) => new Promise((resolve) => {
    const dialog = document.getElementById("sure");
    document.getElementById("sure-text").textContent = text;
    dialog.returnValue = "no";
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
    dialog.showModal();
  });

  const worded = (error) => [error.message, ...(error.problems || []).map((one) => `${one.where}: ${one.what}`), error.hint].filter(Boolean).join(" · ");

  // JSON that somebody has typed goes as it stands: read here, its long numbers would be rounded.
  class Typed {
    constructor(text) { JSON.parse(text); this.text = text; }
  }
  const written = (body) => `{${Object.entries(body).map(([name, value]) => `${JSON.stringify(name)}:${value instanceof Typed ? value.text : JSON.stringify(value)}`).join(",")}}`;

  const call = async (what, body) => {
    const [method, path] = what.split(" ");
    const answer = await fetch(path, { method, headers: { "Content-Type": "application/json" }, body: written(body) });
    const document = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(document.error ? worded(document.error) : `the answer was ${answer.status}`);
    return document;
  };

  const read = (form) => {
    const body = JSON.parse(form.dataset.body || "{}");
    for (const field of form.querySelectorAll("[data-field]")) {
      if (field.dataset.kind === "json") {
        try { body[field.dataset.field] = new Typed(field.value); }
        catch (error) { field.focus(); throw new Error(`This is not JSON: ${error.message}`); }
      } else if (field.dataset.kind === "number") body[field.dataset.field] = Number(field.value);
      else if (field.value) body[field.dataset.field] = field.value;
    }
    if (form.dataset.chosen) body[form.dataset.chosen] = chosen();
    return body;
  };

  const chosen = () => [...document.querySelectorAll("input[name=chosen]:checked")].map((box) => box.value);

  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!form.dataset.call) return;
    event.preventDefault();
    const button = event.submitter;
    try {
      const body = read(form);
      if (form.dataset.chosen && body[form.dataset.chosen].length === 0) { say("Choose some first.", true); return; }
      let question = form.dataset.sure;
      if (form.dataset.count) {
        const { count } = await call(form.dataset.call, { ...body, dry_run: true });
        if (count === 0) { say("There is none that fits.", true); return; }
        question = form.dataset.sure.replace("{count}", count.toLocaleString());
      } else if (question) question = question.replace("{count}", form.dataset.chosen ? body[form.dataset.chosen].length : 1);
      if (question && !(await sure(question))) return;
      if (button) button.disabled = true;
      const done = await call(form.dataset.call, body);
      say((form.dataset.done || "Done.").replace("{count}", (done.count ?? 1).toLocaleString()));
      if (form.dataset.then) setTimeout(() => location.assign(form.dataset.then), 400);
    } catch (error) {
      say(error.message, true);
    } finally {
      if (button) button.disabled = false;
      count();
    }
  });

  // How many are chosen, and choosing all that are shown.
  const count = () => {
    const number = chosen().length;
    for (const element of document.querySelectorAll("[data-chosen-count]")) element.textContent = number ? `${number.toLocaleString()} chosen` : "";
  };
  document.addEventListener("change", (event) => {
    if (event.target.id === "choose-all") for (const box of document.querySelectorAll("input[name=chosen]")) box.checked = event.target.checked;
    if (event.target.name === "chosen" || event.target.id === "choose-all") count();
  });
  document.addEventListener("htmx:after:swap", count);

  // A search runs when a field is left or chosen from; its address can be shared.
  let changed;
  const search = (form) => {
    const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== ""));
    location.assign(form.action.split("?")[0] + (query.size ? `?${query}` : ""));
  };
  document.addEventListener("change", (event) => {
    const form = event.target.form;
    if (form?.dataset.search !== undefined && event.target.name && event.target.tagName !== "TEXTAREA") { clearTimeout(changed); changed = setTimeout(() => search(form), 50); }
  });
  document.addEventListener("submit", (event) => {
    if (event.target.dataset.search === undefined) return;
    event.preventDefault();
    clearTimeout(changed);
    search(event.target);
  });

  // A text is copied by its button; "/" goes to the search.
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      say("Copied.");
    } catch { // over HTTP from another machine a browser has no clipboard for pages
      say("The browser does not let a page copy here; choose the text itself.", true);
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName)) return;
    const field = document.querySelector("input[type=search]");
    if (field) { event.preventDefault(); field.focus(); field.select(); }
    else location.assign("/messages");
  });

  // On a phone the pages are a line to be pushed aside: the one that is shown is in sight.
  document.querySelector(".side [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

  // Whether what is shown is live. What is not must not look as if all were well: it fades, and says since when.
  let since;
  const lost = (text) => {
    const box = document.getElementById("link-lost");
    const root = document.documentElement;
    if (!text) since = undefined;
    else since ??= new Date().toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
    root.classList.toggle("away", Boolean(text));
    text = text && `not live since ${since}: ${text}`;
    if (box && box.textContent !== text) box.textContent = text;
  };
  const live = (event) => event.target.id === "live";
  document.addEventListener("htmx:sse:error", () => lost("no answer, trying again…"));
  document.addEventListener("htmx:sse:close", (event) => { if (event.detail.reason !== "removed") lost("load it again"); });
  document.addEventListener("htmx:response:error", (event) => { if (live(event)) lost("load it again"); });
  document.addEventListener("htmx:error", (event) => { if (live(event)) lost("load it again"); });
  document.addEventListener("htmx:sse:after:connection", () => lost(""));
})();
