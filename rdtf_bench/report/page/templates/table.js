(() => {
  "use strict";
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const byId = (id) => document.getElementById(id);

  // One clock drives all clips: the frame is a property of the page, from which CSS moves every sprite sheet.
  function startClock(slider, button) {
    const last = Number(slider.max);
    let timer = null;
    const show = (frame) => {
      slider.value = frame;
      document.documentElement.style.setProperty("--frame", frame);
      document.body.dataset.frame = frame;
      byId("frame-number").textContent = `${frame + 1} / ${last + 1}`;
    };
    const pause = () => {
      clearInterval(timer);
      timer = null;
      button.textContent = "Play";
    };
    const play = () => {
      clearInterval(timer);
      timer = setInterval(() => show((Number(slider.value) + 1) % (last + 1)), 1000 / Number(byId("speed").value));
      button.textContent = "Pause";
    };
    button.hidden = false;
    button.addEventListener("click", () => (timer === null ? play() : pause()));
    slider.addEventListener("input", () => { pause(); show(Number(slider.value)); });
    byId("speed").addEventListener("change", () => { if (timer !== null) play(); });
    show(last);
    if (!window.matchMedia("(prefers-reduced-motion: reduce)").matches) play();
  }

  // Prompts and lines of the score tables whose caption or id does not contain the text are hidden.
  function filterBy(text) {
    for (const item of all("[data-text]")) item.hidden = !item.dataset.text.includes(text);
    const shown = all(".prompt").filter((prompt) => !prompt.hidden).length;
    byId("count").textContent = `${shown} ${shown === 1 ? "prompt" : "prompts"}`;
  }

  // `choice` is "metric:row:worst" or "metric:row:best"; an empty one restores the order of the test split.
  function orderBy(gallery, original, choice) {
    const [metric, ...rest] = choice.split(":");
    const end = rest.pop();
    const label = rest.join(":");
    const higherIsBetter = gallery.dataset.directions.split(" ")[Number(metric)] === "up";
    const sign = higherIsBetter === (end === "worst") ? 1 : -1;
    const value = (prompt) => {
      const clip = all("figure", prompt).find((figure) => figure.dataset.label === label);
      return clip === undefined ? Infinity : sign * Number(clip.dataset.scores.split(";")[Number(metric)]);
    };
    const order = choice ? [...original].sort((one, other) => value(one) - value(other)) : original;
    gallery.append(...order);
  }

  function sortOnClick(table) {
    const heads = all("thead th", table);
    const key = (row, column) => {
      const cell = row.cells[column];
      return cell.dataset.value === undefined ? cell.textContent.trim() : Number(cell.dataset.value);
    };
    heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
      const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", sign === 1 ? "ascending" : "descending");
      const compare = (one, other) => (typeof one === "number" ? one - other : one.localeCompare(other));
      const rows = [...table.tBodies[0].rows];
      rows.sort((one, other) => sign * compare(key(one, column), key(other, column)));
      table.tBodies[0].append(...rows);
    }));
  }

  const gallery = byId("gallery");
  if (gallery) {
    startClock(byId("frame"), byId("play"));
    byId("filter").addEventListener("input", (event) => filterBy(event.target.value.trim().toLowerCase()));
    const original = all(".prompt", gallery);
    byId("order")?.addEventListener("change", (event) => orderBy(gallery, original, event.target.value));
  }
  all("table.sortable").forEach(sortOnClick);
})();
