(() => {
  "use strict";
  const byId = (id) => document.getElementById(id);
  const page = JSON.parse(byId("page").textContent);
  const STORED_AS = `arena ${page.arena}`;
  const FRAME_MS = 120;
  // The most equal number of things in each line, of at most `most`: 3 and 3 for 6 things, not 5 and 1.
  const evenly = (count, most) => Math.ceil(count / Math.ceil(count / most));
  const letter = (place) => String.fromCharCode(65 + place);

  // The answers: ranks by question and key. Storage may be forbidden, as in a sandboxed frame; then nothing is kept.
  let answers = { rater: "", ranks: page.questions.map(() => ({})) };
  let at = 0; // number of the question on the page
  let current = 0; // place of the clip to which the next digit gives a rank

  function load() {
    try {
      const kept = JSON.parse(localStorage.getItem(STORED_AS));
      if (kept && typeof kept.rater === "string" && kept.ranks.length === page.questions.length) answers = kept;
      keep();
    } catch {
      byId("kept").textContent = "This browser does not keep your answers. Please finish before you close the page.";
    }
  }

  function keep() {
    localStorage.setItem(STORED_AS, JSON.stringify(answers));
  }

  function keepIfPossible() {
    try { keep(); } catch { /* the start of the page says that nothing is kept */ }
  }

  const isRanked = (number) => page.questions[number].order.every((key) => answers.ranks[number][key]);
  const firstOpen = () => page.questions.findIndex((_, number) => !isRanked(number));

  // One clock drives all clips: the frame is a property of the page, by which the styles move every sprite sheet.
  let timer = null;
  function showFrame(frame) {
    byId("frame").value = frame;
    document.documentElement.style.setProperty("--frame", frame);
  }
  function pause() {
    clearInterval(timer);
    timer = null;
    byId("play").textContent = "Play";
  }
  function play() {
    timer = setInterval(() => showFrame((Number(byId("frame").value) + 1) % page.num_frames), FRAME_MS);
    byId("play").textContent = "Pause";
  }
  const toggle = () => (timer === null ? play() : pause());

  function show(section, focused) {
    for (const id of ["start", "ranking", "finish"]) byId(id).hidden = id !== section;
    focused.focus();
    window.scrollTo(0, 0);
  }

  function say(text, isFault = false) {
    byId("said").textContent = text;
    byId("said").classList.toggle("fault", isFault);
  }

  function option(place, rank) {
    const label = document.createElement("label");
    const input = Object.assign(document.createElement("input"), { type: "radio", name: `rank-${place}`, value: rank });
    const { order } = page.questions[at];
    input.checked = answers.ranks[at][order[place]] === rank;
    input.setAttribute("aria-label", `Rank ${rank}`);
    input.addEventListener("change", () => give(place, rank));
    input.addEventListener("focus", () => mark(place));
    const shown = Object.assign(document.createElement("span"), { textContent: rank });
    label.append(input, shown);
    return label;
  }

  function candidate(key, place) {
    const figure = Object.assign(document.createElement("figure"), { className: "candidate" });
    const frame = Object.assign(document.createElement("div"), { className: "clip" });
    const picture = Object.assign(document.createElement("img"), { src: page.sprites[key], alt: `Clip ${letter(place)}` });
    frame.append(picture);
    const ranks = document.createElement("fieldset");
    const legend = Object.assign(document.createElement("legend"), { textContent: `Clip ${letter(place)}` });
    const options = page.questions[at].order.map((_, number) => option(place, number + 1));
    ranks.append(legend, ...options);
    figure.append(frame, ranks);
    return figure;
  }

  function mark(place) {
    current = place;
    [...byId("candidates").children].forEach((figure, i) => figure.classList.toggle("current", i === place));
  }

  // Keep a rank, and make the next clip the one that the next digit is for.
  function give(place, rank) {
    const { order } = page.questions[at];
    answers.ranks[at][order[place]] = rank;
    keepIfPossible();
    byId("candidates").children[place].querySelectorAll("input")[rank - 1].checked = true;
    mark((place + 1) % order.length);
    say(`Clip ${letter(place)} has rank ${rank}.${isRanked(at) ? " Every clip is ranked." : ""}`);
    byId("progress").value = page.questions.filter((_, number) => isRanked(number)).length;
  }

  function showGiven(clip) {
    byId("prompt").hidden = !clip.caption;
    byId("caption").textContent = clip.caption;
    byId("known").hidden = !clip.known;
    byId("known-label").textContent = clip.num_known === 1 ? "Given frame" : "Given frames";
    if (!clip.known) return;
    byId("known-frames").src = clip.known;
    byId("known-frames").alt = clip.num_known === 1 ? "The given frame" : `The ${clip.num_known} given frames`;
  }

  function ask(number) {
    at = number;
    const question = page.questions[at];
    byId("place").textContent = `Ranking ${at + 1} of ${page.questions.length}`;
    byId("progress").value = page.questions.filter((_, i) => isRanked(i)).length;
    byId("question").textContent = page.criteria[question.criterion].question;
    showGiven(page.clips[question.clip]);
    byId("candidates").replaceChildren(...question.order.map(candidate));
    mark(0);
    say("Rank 1 is the best. Equal ranks are a tie.");
    byId("back").disabled = at === 0;
    show("ranking", byId("question"));
  }

  function next() {
    const { order } = page.questions[at];
    const open = order.map((key, place) => [key, place]).filter(([key]) => !answers.ranks[at][key]);
    if (open.length) {
      say(`Please give a rank to clip ${open.map(([, place]) => letter(place)).join(", ")}.`, true);
      mark(open[0][1]);
    } else if (at + 1 < page.questions.length) {
      ask(at + 1);
    } else if (firstOpen() >= 0) {
      ask(firstOpen());
    } else {
      finish();
    }
  }

  function exported() {
    const votes = page.questions.map(({ clip, criterion }, number) => ({ clip, criterion, ranks: answers.ranks[number] }));
    return JSON.stringify({ format: 1, arena: page.arena, rater: answers.rater, votes }, null, 1);
  }

  function finish() {
    byId("text").value = exported();
    show("finish", byId("thanks"));
  }

  function save() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([exported()], { type: "application/json" }));
    link.download = `votes-${answers.rater.replace(/[^\p{L}\p{N}]+/gu, "-")}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  function begin(event) {
    event.preventDefault();
    const name = byId("rater").value.trim();
    if (!name) return;
    answers.rater = name;
    keepIfPossible();
    const open = firstOpen();
    if (open < 0) finish();
    else ask(open);
  }

  function startOver() {
    answers = { rater: "", ranks: page.questions.map(() => ({})) };
    keepIfPossible();
    byId("rater").value = "";
    byId("another").hidden = true;
    byId("rater").focus();
  }

  function onKey(event) {
    if (byId("ranking").hidden || event.ctrlKey || event.metaKey || event.altKey) return;
    const rank = Number(event.key);
    const isOnButton = event.target.closest("button") !== null;
    if (event.key !== " " && rank >= 1 && rank <= page.questions[at].order.length) give(current, rank);
    else if (event.key === "Enter" && !isOnButton) next();
    else if (event.key === " " && !isOnButton && event.target.type !== "radio") toggle();
    else return;
    event.preventDefault();
  }

  load();
  byId("rater").value = answers.rater;
  byId("another").hidden = !answers.rater;
  const rows = page.questions[0].order.length;
  const layout = {
    "--frames": page.num_frames,
    "--ratio": page.ratio,
    "--clips-in-a-line": evenly(rows, 5),
    "--ranks-in-a-line": evenly(rows, 4),
  };
  for (const [name, value] of Object.entries(layout)) document.documentElement.style.setProperty(name, value);
  showFrame(page.num_frames - 1);
  if (!window.matchMedia("(prefers-reduced-motion: reduce)").matches) play();
  byId("name-form").addEventListener("submit", begin);
  byId("another").addEventListener("click", startOver);
  byId("play").addEventListener("click", toggle);
  byId("frame").addEventListener("input", () => { pause(); showFrame(Number(byId("frame").value)); });
  byId("back").addEventListener("click", () => ask(at - 1));
  byId("next").addEventListener("click", next);
  byId("change").addEventListener("click", () => ask(page.questions.length - 1));
  byId("save").addEventListener("click", save);
  document.addEventListener("keydown", onKey);
})();
