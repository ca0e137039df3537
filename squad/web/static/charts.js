// Charts: <figure data-chart="/series?…"><div class="plot">. Read again now and then while somebody looks.
(() => {
  "use strict";
  const EVERY = 10000; // milliseconds
  const drawn = new Map();

  const units = {
    bytes: (value) => {
      const names = ["B", "kB", "MB", "GB", "TB"];
      let n = 0;
      while (value >= 1000 && n < names.length - 1) { value /= 1000; n += 1; }
      return `${short(value)} ${names[n]}`;
    },
    ms: (value) => value >= 60000 ? `${short(value / 60000)} min` : value >= 1000 ? `${short(value / 1000)} s` : `${short(value)} ms`,
    percent: (value) => `${short(value)} %`,
    s: (value) => `${short(value)} s`,
  };
  const short = (value) => value >= 1000 && value < 10000 ? Math.round(value).toLocaleString() : value >= 10000 ? `${short(value / 1000)}k` : value >= 100 || Number.isInteger(value) ? value.toFixed(0) : String(Number(value.toFixed(value >= 10 ? 1 : 2)));
  const say = (unit, value) => value == null ? "–" : (units[unit] || short)(value);

  // Steps of an axis of times: whole seconds, minutes and hours.
  const durations = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 3e4, 6e4, 12e4, 3e5, 6e5, 18e5, 36e5, 72e5, 18e6, 36e6, 864e5];
  const hour = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const second = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
  const at = (seconds, step) => (step < 60 ? second : step < 86400 ? hour : day).format(seconds * 1000);

  // A colour of the style sheet as it is in this theme.
  const sample = document.body.appendChild(document.createElement("i"));
  const style = (name) => { sample.style.color = `var(${name})`; return getComputedStyle(sample).color; };
  const colours = () => ["--line-1", "--line-2", "--line-3", "--line-4", "--line-5", "--line-6"].map(style);
  const named = { failed: "--bad", completed: "--good", arrived: "--line-1" };

  const options = (data, box) => {
    const palette = colours();
    const ink = style("--faint"), grid = style("--line");
    const axis = { stroke: ink, grid: { stroke: grid, width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif", labelGap: 0 };
    const fill = data.lines.length === 1;
    return {
      width: box.clientWidth,
      height: box.clientHeight,
      legend: { show: false },
      cursor: { points: { size: 6 }, drag: { x: false, y: false }, sync: { key: "time" } },
      padding: [8, 18, 0, 0],
      scales: { x: { time: true, range: () => [data.since, data.until] }, y: { range: (_, __, most) => [0, most > 0 ? most * 1.12 : 1] } },
      axes: [{ ...axis, size: 22, space: 64, values: (_, ticks, __, ___, step) => ticks.map((tick) => at(tick, step)) }, { ...axis, size: 58, incrs: data.unit === "ms" ? durations : data.unit === "workers" ? [1, 2, 5, 10, 20, 50] : undefined, values: (_, ticks) => ticks.map((tick) => say(data.unit, tick)) }],
      series: [{}, ...data.lines.map((line, n) => {
        const colour = named[line.label] ? style(named[line.label]) : palette[n % palette.length];
        return { label: line.label, stroke: colour, width: 1.75, fill: fill ? colour.replace("rgb(", "rgba(").replace(")", ", .13)") : undefined, spanGaps: data.unit === "workers", points: { show: line.y.filter((value) => value != null).length < 4, size: 4 },
          paths: data.unit === "workers" ? uPlot.paths.stepped({ align: 1 }) : undefined };
      })],
    };
  };

  // The legend says the value under the cursor, else the last one.
  const legend = (figure, data, index) => {
    const box = figure.querySelector(".legend");
    box.replaceChildren(...data.lines.map((line, n) => {
      const entry = document.createElement("span");
      const mark = document.createElement("i");
      const value = document.createElement("b");
      let at = index;
      if (at == null) { at = line.y.length - 1; while (at > 0 && line.y[at] == null) at -= 1; }
      mark.className = named[line.label] ? `is-${line.label}` : `line-${(n % 6) + 1}`;
      value.textContent = say(data.unit, line.y[at]);
      entry.append(mark, `${line.label} `, value);
      return entry;
    }));
  };

  const sizes = new ResizeObserver((entries) => {
    for (const { target: box } of entries) {
      const plot = drawn.get(box.parentElement);
      if (plot && (plot.width !== box.clientWidth || plot.height !== box.clientHeight)) plot.setSize({ width: box.clientWidth, height: box.clientHeight });
    }
  });

  const draw = (figure, data) => {
    const box = figure.querySelector(".plot");
    drawn.get(figure)?.destroy();
    drawn.delete(figure);
    box.replaceChildren();
    if (!data.lines.some((line) => line.y.some((value) => value != null))) {
      box.textContent = "Nothing was measured in this time.";
      box.classList.add("nothing");
      figure.querySelector(".legend").replaceChildren();
      return;
    }
    box.classList.remove("nothing");
    const plot = new uPlot(options(data, box), [data.x, ...data.lines.map((line) => line.y)], box);
    plot.hooks.setCursor = [() => legend(figure, data, plot.cursor.idx)];
    drawn.set(figure, plot);
    legend(figure, data, null);
    sizes.observe(box);
  };

  const load = async (figure) => {
    try {
      const answer = await fetch(figure.dataset.chart, { headers: { Accept: "application/json" } });
      if (!answer.ok) return;
      figure.data = await answer.json();
      if (drawn.get(figure)?.cursor.idx == null) draw(figure, figure.data); // not under somebody's cursor
    } catch { /* the squad is away: the chart stays as it is */ }
  };

  const all = () => document.querySelectorAll("figure[data-chart]");
  const redraw = () => { for (const figure of all()) if (figure.data) draw(figure, figure.data); };
  const reload = () => { if (!document.hidden) for (const figure of all()) load(figure); };

  reload();
  setInterval(reload, EVERY);
  document.addEventListener("visibilitychange", reload);
  document.addEventListener("theme", redraw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
})();
