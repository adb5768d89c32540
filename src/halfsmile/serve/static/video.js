// One video: sent, followed while the server analyzes it, and played with its faces and a timeline.
import { $, element } from "./dom.js";
import { color, drawFaces, faceArticle, percent, verdict } from "./draw.js";
import { addRow, newCard, onClear, shown } from "./results.js";
import { ask, at, readLines, server, told, tooLarge, withKey } from "./server.js";
import { Timeline } from "./timeline.js";

const LANES = 12; // people in the timeline
const OVER = ["done", "failed", "cancelled"];

/** Show a video. Returns how many people it shows, or null if that can't be told. */
export async function showVideo(file) {
  const mine = shown.generation;
  const name = file.name || "video";
  const parts = newCard(name);
  const { fail } = parts;
  const large = tooLarge(file, server.limits.video_bytes);
  if (large) return fail(large);
  const player = play(parts, file);
  const bar = element("progress", { max: 1, value: 0 });
  bar.setAttribute("aria-label", "Progress");
  const cancel = element("button", { type: "button", textContent: "Cancel" });
  const work = element("div", { className: "wide bar" }, bar, cancel);
  parts.stage.after(work);

  const abort = new AbortController();
  let job = null;
  let isOver = false;
  const stop = () => {
    if (job && !isOver) fetch(at(`./v1/video/${job}`), withKey({ method: "DELETE", keepalive: true })).catch(() => undefined);
    isOver = true;
    abort.abort();
  };
  const end = (state) => {
    work.remove();
    const people = player.people();
    parts.side.textContent = [state, people === 1 ? "1 person" : `${people} people`].filter(Boolean).join(": ");
    player.end(!state);
    return people;
  };
  onClear(stop);
  cancel.addEventListener("click", () => {
    stop();
    end(`cancelled at ${percent(bar.value)}`);
    parts.title.focus();
  });
  parts.side.textContent = "sending…";
  try {
    const form = new FormData();
    form.append("file", file, name);
    const relative = $("baseline").checked ? "?baseline=person" : "";
    job = (await ask(`./v1/video${relative}`, { method: "POST", body: form, signal: abort.signal })).id;
    parts.side.textContent = "looking…";
    const watch = (async () => {
      while (!isOver && mine === shown.generation) {
        const state = await ask(`./v1/video/${job}`, { signal: abort.signal });
        bar.value = state.progress ?? 0;
        if (state.width) player.size = { width: state.width, height: state.height };
        if (OVER.includes(state.status)) return state;
        await new Promise((done) => setTimeout(done, 400));
      }
      return null;
    })();
    watch.catch(() => undefined); // where reading fails, too, one of both says so
    await readLines(`./v1/video/${job}/results`, abort.signal, (result) => {
      if (mine !== shown.generation) return;
      player.add(result);
      if (result.expression) addRow(name, result);
    }, player.changed);
    const state = await watch;
    if (isOver || !state) return player.people() || null;
    isOver = true;
    fetch(at(`./v1/video/${job}`), withKey({ method: "DELETE" })).catch(() => undefined);
    const people = end(state.status === "done" ? "" : `stopped at ${percent(state.progress)}`);
    for (const problem of state.problems) player.remark(problem);
    if (state.status !== "failed") {
      if (!people && state.status === "done") addRow(name, { reason: "no face" });
      return people;
    }
    const reason = state.error || "The video could not be read.";
    if (!people) { player.remove(); return fail(reason); }
    player.remark(reason, true);
    return people;
  } catch (error) {
    if (error.name === "AbortError") return player.people() || null;
    const reached = bar.value;
    stop();
    if (!player.people()) { work.remove(); player.remove(); return fail(told(error)); }
    player.remark(told(error), true);
    return end(`stopped at ${percent(reached)}`);
  }
}

/** The player of a card: film, boxes, timeline, and the faces of the moment that is shown. */
function play(parts, file) {
  const address = URL.createObjectURL(file);
  const video = element("video", { src: address, controls: true, playsInline: true, muted: true });
  video.setAttribute("aria-label", `The video ${file.name}`);
  const canvas = element("canvas");
  canvas.setAttribute("aria-hidden", "true");
  parts.stage.append(video, canvas);
  const slider = element("canvas", { tabIndex: 0 });
  slider.setAttribute("role", "slider");
  slider.setAttribute("aria-valuemin", "0");
  slider.setAttribute("aria-label", "Time in the video; arrow keys move by a second");
  const legend = element("div", { className: "legend" });
  const strip = element("div", { className: "wide timeline" }, slider, legend);
  parts.card.append(strip);

  const timeline = new Timeline(slider);
  const lanes = new Map(); // track → faces in order of time
  let until = 0; // time of the last result
  let isEnded = false;
  let isRemoved = false;
  let listed = null; // the faces that have an article
  let told = null; // what the slider says
  let asked = 0; // the time to show where the browser can't play the video and has none of its own
  let due = 0;

  const duration = () => (Number.isFinite(video.duration) ? video.duration : Math.max(0.1, until));
  const now = () => (video.error ? asked : video.currentTime);
  const present = () => [...lanes.values()].map((faces) => latest(faces, now())).filter(Boolean)
    .sort((a, b) => a.track - b.track);

  const plan = () => {
    const longest = [...lanes].map(([track, faces]) => ({ track, faces }))
      .sort((a, b) => b.faces.length - a.faces.length).slice(0, LANES).sort((a, b) => a.track - b.track);
    timeline.plan(longest, duration(), until);
    slider.setAttribute("aria-valuemax", duration().toFixed(1));
  };
  const draw = () => {
    if (isRemoved) return;
    const faces = present();
    if (player.size) drawFaces(canvas, faces, player.size.width, player.size.height);
    timeline.draw(now());
    const tenth = video.paused || video.error ? now().toFixed(1) : Math.floor(now()).toFixed(1);
    const said = `${tenth} s: ${faces.map((face) => `person ${face.track} ${verdict(face).title}`).join(", ") || "no face"}`;
    if (said !== told) {
      told = said;
      slider.setAttribute("aria-valuenow", tenth);
      slider.setAttribute("aria-valuetext", said);
    }
    const key = faces.map((face) => `${face.track}:${face.time}`).join();
    if (key !== listed && (lanes.size || !isEnded)) {
      listed = key;
      parts.faces.replaceChildren(...faces.map((face) => faceArticle(face, video.error ? null : video)));
    }
  };
  const changed = () => {
    due ||= requestAnimationFrame(() => { due = 0; plan(); draw(); });
  };
  const seek = (time) => {
    asked = Math.min(duration(), Math.max(0, time));
    if (video.error) draw(); else video.currentTime = asked;
  };
  const seekTo = (event) => {
    const area = slider.getBoundingClientRect();
    seek(((event.clientX - area.left) / area.width) * duration());
  };
  slider.addEventListener("click", seekTo);
  slider.addEventListener("pointermove", (event) => {
    if (!event.buttons) return;
    slider.setPointerCapture(event.pointerId);
    seekTo(event);
  });
  slider.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageUp: 10, PageDown: -10 }[event.key];
    if (move !== undefined) seek(now() + move);
    else if (event.key === "Home") seek(0);
    else if (event.key === "End") seek(duration());
    else if (event.key === " ") video.paused ? video.play() : video.pause();
    else return;
    event.preventDefault();
  });
  video.addEventListener("seeked", draw);
  video.addEventListener("timeupdate", draw);
  video.addEventListener("durationchange", changed);
  const recut = () => { listed = null; changed(); };
  video.addEventListener("loadeddata", recut);
  const presented = () => { // a frame can be cut from when it is presented, which may be after its event
    if (video.paused) recut();
    video.requestVideoFrameCallback(presented);
  };
  if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(presented);
  let frame = 0;
  const follow = () => { draw(); if (!video.paused && !video.ended) frame = requestAnimationFrame(follow); };
  video.addEventListener("play", follow);
  new ResizeObserver(changed).observe(parts.stage);
  onClear(() => {
    cancelAnimationFrame(frame);
    cancelAnimationFrame(due);
    video.pause();
    URL.revokeObjectURL(address);
  });

  const sayUnplayable = () => {
    if (isEnded && lanes.size) player.remark("This browser can't play the video; the results are shown all the same.");
  };
  video.addEventListener("error", () => { sayUnplayable(); recut(); });

  const player = {
    size: null, // of a frame, as the server sees it
    people: () => lanes.size,
    changed,
    add(result) {
      until = Math.max(until, result.time ?? 0);
      if (!result.expression) return;
      if (!lanes.has(result.track)) lanes.set(result.track, []);
      lanes.get(result.track).push(result);
    },
    remark(text, bad = false) {
      strip.after(element("p", { className: bad ? "wide error" : "wide hint", textContent: text }));
    },
    /** No more results come, of a video that was analyzed as a whole or not. */
    end(isWhole) {
      isEnded = true;
      if (isWhole) until = duration();
      plan();
      draw();
      const labels = [...new Set([...lanes.values()].flat().map((face) => face.expression))];
      legend.replaceChildren(...labels.map((label) => {
        const patch = element("i");
        patch.style.background = color(label);
        return element("span", {}, patch, label);
      }), element("span", { textContent: "height: confidence · striped: not sure · black: not analyzed" }));
      if (lanes.size > LANES) player.remark(`The timeline has the ${LANES} of ${lanes.size} people seen longest; the table has all.`);
      if (!lanes.size) {
        const where = isWhole ? "in this video" : "in what was analyzed";
        parts.faces.replaceChildren(element("p", { textContent: `No face was found ${where}.` }));
      }
      if (video.error) sayUnplayable();
    },
    /** Nothing can be shown after all. */
    remove() {
      isRemoved = true;
      strip.remove();
      video.remove();
      canvas.remove();
    },
  };
  return player;
}

/** The last face of a lane at or shortly before a time. */
function latest(faces, time) {
  let low = 0;
  let high = faces.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (faces[middle].time <= time + 0.02) low = middle + 1; else high = middle;
  }
  const face = faces[low - 1];
  return face && time - face.time < 0.4 ? face : null;
}
