// Times in the reader's zone: <time datetime="…Z" data-as="age|clock|exact|date">, with the exact value on hover.
(() => {
  "use strict";
  const plain = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  const day = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "short", day: "numeric" });
  const exact = new Intl.DateTimeFormat(undefined, {
    year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
    fractionalSecondDigits: 3, hourCycle: "h23", timeZoneName: "short",
  });
  const finest = new Intl.DateTimeFormat(undefined, {
    hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hourCycle: "h23",
  });
  const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

  const age = (seconds) => {
    if (Math.abs(seconds) < 1) return "now";
    const [size, unit] = units.find(([size]) => Math.abs(seconds) >= size);
    const text = `${Math.floor(Math.abs(seconds) / size)} ${unit}`;
    return seconds < 0 ? `in ${text}` : `${text} ago`;
  };

  const worded = (at, how) => {
    if (how === "age") return age((Date.now() - at) / 1000);
    const clock = how === "exact" ? finest : plain;
    const old = Math.abs(Date.now() - at) > 86400e3 || how === "date";
    return old ? `${day.format(at)}, ${clock.format(at)}` : clock.format(at);
  };

  const show = (root) => {
    for (const element of root.querySelectorAll("time[datetime]")) {
      const at = new Date(element.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      const text = worded(at, element.dataset.as);
      if (element.textContent !== text) element.textContent = text;
      const title = `${exact.format(at)}\n${element.dateTime}`;
      if (element.title !== title) element.title = title;
    }
  };

  // What arrives is made local before it is compared with what is there: so nothing flickers.
  document.addEventListener("htmx:before:swap", (event) => {
    for (const task of event.detail.tasks || []) if (task.fragment) show(task.fragment);
  });
  show(document);
  setInterval(() => { if (!document.hidden) show(document); }, 1000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) show(document); });

  // A time that is typed is the reader's; the address holds it as UTC, so that a link means the same everywhere.
  document.addEventListener("change", (event) => {
    const input = event.target;
    if (input.type !== "datetime-local" || !input.dataset.for) return;
    const target = document.getElementById(input.dataset.for);
    target.value = input.value ? new Date(input.value).toISOString() : "";
    target.dispatchEvent(new Event("change", { bubbles: true }));
  });
  const two = (number) => String(number).padStart(2, "0");
  for (const input of document.querySelectorAll("input[type=datetime-local][data-for]")) {
    const at = new Date(document.getElementById(input.dataset.for).value);
    if (Number.isNaN(at.getTime())) continue;
    input.value = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}T${two(at.getHours())}:${two(at.getMinutes())}`;
  }
})();
