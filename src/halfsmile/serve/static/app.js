// What the page does: takes pictures, asks the server, shows the answers. Nothing is stored.
"use strict";

const $ = (id) => document.getElementById(id);
const rows = []; // every face that was shown, for the table
const cleanups = []; // what "Clear" has to stop and free
let generation = 0; // grows with every "Clear"; late answers of an earlier one are dropped
let key = ""; // of a server that asks for one; kept in this page only
let limits = {}; // what the server takes

function say(text, bad = false) {
  $("status").textContent = text;
  $("status").classList.toggle("bad", bad);
}

class Refused extends Error {}

const withKey = (options = {}) => (key ? { ...options, headers: { Authorization: `Bearer ${key}` } } : options);

/** Why a file is too large for the server, or "". */
function tooLarge(file, most) {
  const mib = (bytes) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
  return most && file.size > most ? `${file.name} has ${mib(file.size)}; this server takes ${mib(most)}.` : "";
}

/** The server's answer as JSON; busy servers are asked again, refusals become one clear sentence. */
async function ask(address, options = {}, tries = 6) {
  let answer;
  try {
    answer = await fetch(address, withKey(options));
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused("The server can't be reached. Is it still running?");
  }
  if (answer.status === 429 && tries > 0) {
    say("The server is busy; trying again…");
    const wait = Number(answer.headers.get("retry-after")) || 1;
    await new Promise((done) => setTimeout(done, 1000 * Math.min(wait, 5)));
    const later = await ask(address, options, tries - 1);
    say("");
    return later;
  }
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    const detail = typeof body.detail === "string" ? body.detail : body.error;
    throw Object.assign(new Refused(detail || `The server answered ${answer.status}.`), { status: answer.status });
  }
  return body;
}

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function addRow(source, face) {
  rows.push({ ...face, source });
  $("toolbar").hidden = false;
  $("count").textContent = `(${rows.length} face${rows.length === 1 ? "" : "s"})`;
}

function newCard(name) {
  const side = element("small");
  const title = element("h3", {}, element("span", { textContent: name }), side);
  const stage = element("div", { className: "stage" });
  const faces = element("div", { className: "faces", tabIndex: 0, role: "region" });
  faces.setAttribute("aria-label", `Faces in ${name}`);
  const card = element("section", { className: "card" }, title, stage, faces);
  card.setAttribute("aria-label", name);
  $("results").prepend(card);
  return { card, side, stage, faces };
}

function showError(parts, message) {
  parts.faces.replaceChildren(element("p", { className: "error", textContent: message }));
}

// ---- photos ------------------------------------------------------------------------------------------------

async function showPhoto(file) {
  const mine = generation;
  const parts = newCard(file.name || "picture");
  const address = URL.createObjectURL(file);
  cleanups.push(() => URL.revokeObjectURL(address));
  const image = element("img", { src: address, alt: `The picture ${file.name}` });
  const canvas = element("canvas");
  canvas.setAttribute("aria-hidden", "true");
  parts.stage.append(image, canvas);
  const large = tooLarge(file, limits.body_bytes);
  if (large) return showError(parts, large);
  parts.side.textContent = "looking…";
  const abort = new AbortController();
  cleanups.push(() => abort.abort());
  const form = new FormData();
  form.append("files", file, file.name || "picture");
  try {
    const answer = await ask("/v1/predict", { method: "POST", body: form, signal: abort.signal });
    if (mine !== generation) return;
    const result = answer.results[0];
    parts.side.textContent = "";
    if (result.error) return showError(parts, result.error);
    await image.decode().catch(() => undefined);
    const draw = () => drawFaces(canvas, result.faces, result.width, result.height);
    new ResizeObserver(draw).observe(parts.stage);
    draw();
    parts.side.textContent = result.faces.length === 1 ? "1 face" : `${result.faces.length} faces`;
    if (!result.faces.length) {
      parts.faces.replaceChildren(element("p", { textContent: "No face was found in this picture." }));
    }
    for (const face of result.faces) {
      parts.faces.append(faceArticle(face, image));
      addRow(file.name, face);
    }
  } catch (error) {
    if (error.name === "AbortError") return;
    parts.side.textContent = "";
    showError(parts, error instanceof Refused ? error.message : String(error));
  }
}

// ---- video -------------------------------------------------------------------------------------------------

async function showVideo(file) {
  const mine = generation;
  const parts = newCard(file.name || "video");
  const large = tooLarge(file, limits.video_bytes);
  if (large) return showError(parts, large);
  const address = URL.createObjectURL(file);
  const video = element("video", { src: address, controls: true, playsInline: true, muted: true });
  const canvas = element("canvas");
  canvas.setAttribute("aria-hidden", "true");
  parts.stage.append(video, canvas);
  const bar = element("progress", { max: 1, value: 0 });
  bar.setAttribute("aria-label", "Progress");
  const cancel = element("button", { type: "button", textContent: "Cancel" });
  const work = element("div", { className: "wide bar" }, bar, cancel);
  const timeline = element("canvas", { tabIndex: 0 });
  timeline.setAttribute("role", "slider");
  timeline.setAttribute("aria-label", "Time in the video; arrow keys move by a second");
  const legend = element("div", { className: "legend" });
  const strip = element("div", { className: "wide timeline" }, timeline, legend);
  parts.card.append(work, strip);

  const remark = (text, bad = false) => {
    parts.card.append(element("p", { className: bad ? "wide error" : "wide hint", textContent: text }));
  };

  const lanes = new Map(); // track → faces in order of time
  let size = null;
  const shown = () => [...lanes].map(([track, faces]) => ({ track, faces }))
    .sort((a, b) => b.faces.length - a.faces.length).slice(0, 12);
  const duration = () => (Number.isFinite(video.duration) ? video.duration
    : Math.max(0.1, ...[...lanes.values()].map((faces) => faces.at(-1).time)));
  let asked = 0; // the time to show where the browser can't play the video and has none of its own
  const now = () => (video.error ? asked : video.currentTime);
  const present = () => [...lanes.values()].map((faces) => latest(faces, now())).filter(Boolean);
  let listed = "";
  const draw = () => {
    const faces = present();
    if (size) drawFaces(canvas, faces, size.width, size.height);
    drawTimeline(timeline, shown(), duration(), now());
    timeline.setAttribute("aria-valuemin", "0");
    timeline.setAttribute("aria-valuemax", duration().toFixed(1));
    timeline.setAttribute("aria-valuenow", now().toFixed(1));
    timeline.setAttribute("aria-valuetext", `${now().toFixed(1)} s: ${
      faces.map((face) => `person ${face.track} ${verdict(face).title}`).join(", ") || "no face"}`);
    const key = faces.map((face) => `${face.track}:${face.time}`).join();
    if (key !== listed) {
      listed = key;
      parts.faces.replaceChildren(...faces.map((face) => faceArticle(face, video)));
    }
  };
  const seek = (time) => {
    asked = Math.min(duration(), Math.max(0, time));
    if (video.error) draw(); else video.currentTime = asked;
  };
  const seekTo = (event) => {
    const area = timeline.getBoundingClientRect();
    seek(((event.clientX - area.left) / area.width) * duration());
  };
  timeline.addEventListener("pointerdown", (event) => { timeline.setPointerCapture(event.pointerId); seekTo(event); });
  timeline.addEventListener("pointermove", (event) => { if (event.buttons) seekTo(event); });
  timeline.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1, PageUp: 10, PageDown: -10 }[event.key];
    if (move !== undefined) seek(now() + move);
    else if (event.key === "Home") seek(0);
    else if (event.key === "End") seek(duration());
    else if (event.key === " ") video.paused ? video.play() : video.pause();
    else return;
    event.preventDefault();
  });
  for (const name of ["seeked", "timeupdate", "loadeddata"]) video.addEventListener(name, draw);
  let frame = 0;
  const follow = () => { draw(); if (!video.paused && !video.ended) frame = requestAnimationFrame(follow); };
  video.addEventListener("play", follow);
  video.addEventListener("error", () => {
    remark("This browser can't play the video; the results are shown all the same.");
  });
  new ResizeObserver(draw).observe(parts.stage);

  const abort = new AbortController();
  let job = null;
  let over = false;
  const stop = () => {
    if (job && !over) fetch(`/v1/video/${job}`, withKey({ method: "DELETE", keepalive: true })).catch(() => undefined);
    over = true;
    abort.abort();
  };
  cleanups.push(() => { stop(); cancelAnimationFrame(frame); video.pause(); URL.revokeObjectURL(address); });
  cancel.addEventListener("click", () => { stop(); work.remove(); parts.side.textContent = "cancelled"; });
  parts.side.textContent = "sending…";
  try {
    const form = new FormData();
    form.append("file", file, file.name || "video");
    job = (await ask("/v1/video", { method: "POST", body: form, signal: abort.signal })).id;
    parts.side.textContent = "looking…";
    const watch = (async () => {
      while (!over && mine === generation) {
        const state = await ask(`/v1/video/${job}`, { signal: abort.signal });
        bar.value = state.progress ?? 0;
        if (state.width) size = { width: state.width, height: state.height };
        if (["done", "failed", "cancelled"].includes(state.status)) return state;
        await new Promise((done) => setTimeout(done, 400));
      }
      return null;
    })();
    watch.catch(() => undefined); // where reading fails, too, one of both says so
    await readLines(`/v1/video/${job}/results`, abort.signal, (face) => {
      if (mine !== generation || !face.expression) return;
      if (!lanes.has(face.track)) lanes.set(face.track, []);
      lanes.get(face.track).push(face);
      addRow(file.name, face);
    }, draw);
    const state = await watch;
    over = true;
    work.remove();
    if (state?.status === "failed") remark(state.error || "The video could not be read.", true);
    for (const problem of state?.problems ?? []) remark(problem);
    parts.side.textContent = lanes.size === 1 ? "1 person" : `${lanes.size} people`;
    const labels = [...new Set([...lanes.values()].flat().map((face) => face.expression))];
    legend.replaceChildren(...labels.map((label) => {
      const patch = element("i");
      patch.style.background = color(label);
      return element("span", {}, patch, label);
    }), element("span", { textContent: "height: confidence; pale: not sure" }));
    if (!lanes.size) parts.faces.replaceChildren(element("p", { textContent: "No face was found in this video." }));
    draw();
    if (job) fetch(`/v1/video/${job}`, withKey({ method: "DELETE" })).catch(() => undefined);
  } catch (error) {
    stop();
    work.remove();
    if (error.name === "AbortError") return;
    parts.side.textContent = "";
    showError(parts, error instanceof Refused ? error.message : String(error));
  }
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

/** A stream of JSON lines, one call each. */
async function readLines(address, signal, each, after) {
  const answer = await fetch(address, withKey({ signal }));
  if (!answer.ok) throw new Refused((await answer.json().catch(() => ({}))).detail || `The server answered ${answer.status}.`);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    const lines = (rest + (value ?? "")).split("\n");
    rest = done ? "" : lines.pop();
    for (const line of lines) if (line.trim()) each(JSON.parse(line));
    after();
    if (done) return;
  }
}

// ---- webcam ------------------------------------------------------------------------------------------------

let camera = null;

async function startCamera() {
  if (camera || $("webcam").disabled) return;
  if (!navigator.mediaDevices) return say("This browser gives no camera to pages that are not served by https or localhost.", true);
  $("webcam").disabled = true;
  let media;
  try {
    media = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 640 } }, audio: false });
  } catch (error) {
    $("webcam").disabled = false;
    return say(error.name === "NotAllowedError" ? "The camera was not allowed." : "No camera was found.", true);
  }
  say("");
  const video = $("live-video");
  video.srcObject = media;
  try {
    await video.play();
  } catch {
    for (const track of media.getTracks()) track.stop();
    video.srcObject = null;
    $("webcam").disabled = false;
    return say("The camera's picture can't be shown.", true);
  }
  $("live").hidden = false;
  $("stop").focus();
  const protocols = key ? ["halfsmile", `halfsmile.key.${base64url(key)}`] : ["halfsmile"];
  const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/v1/stream`, protocols);
  camera = { media, socket, answered: [], last: null };
  const grab = element("canvas");
  const send = () => {
    if (!camera || socket.readyState !== WebSocket.OPEN) return;
    if (document.hidden || !video.videoWidth) { setTimeout(send, 200); return; }
    grab.width = video.videoWidth;
    grab.height = video.videoHeight;
    grab.getContext("2d").drawImage(video, 0, 0);
    grab.toBlob((blob) => {
      if (!camera || socket.readyState !== WebSocket.OPEN) return;
      if (blob) socket.send(blob); else setTimeout(send, 200);
    }, "image/jpeg", 0.85);
  };
  socket.addEventListener("open", send);
  socket.addEventListener("message", (event) => {
    if (camera?.socket !== socket) return;
    const answer = JSON.parse(event.data);
    if (answer.error) { say(answer.error, true); setTimeout(send, 500); return; }
    drawFaces($("live-canvas"), answer.faces, answer.width, answer.height);
    $("live-faces").replaceChildren(...answer.faces.map((face) => faceArticle(face, grab)));
    const now = performance.now();
    camera.answered = [...camera.answered.filter((time) => now - time < 2000), now];
    $("live-rate").textContent = `${(camera.answered.length / 2).toFixed(0)} pictures/s · nothing is recorded`;
    send();
  });
  socket.addEventListener("close", (event) => {
    if (camera?.socket !== socket) return;
    stopCamera();
    say(event.reason || "The connection to the server ended.", true);
  });
}

function base64url(text) {
  const bytes = String.fromCharCode(...new TextEncoder().encode(text));
  return btoa(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function stopCamera() {
  if (!camera) return;
  const { media, socket } = camera;
  camera = null;
  media.getTracks().forEach((track) => track.stop());
  socket.close();
  $("live").hidden = true;
  $("webcam").disabled = false;
  $("live-faces").replaceChildren();
  $("webcam").focus();
}

// ---- table and wiring --------------------------------------------------------------------------------------

function table() {
  const labels = [...new Set(rows.flatMap((row) => Object.keys(row.probabilities)))];
  const head = ["source", "frame", "time", "track", "x0", "y0", "x1", "y1", "expression", "confidence", "uncertain",
    ...labels.map((label) => `p_${label}`)];
  const cell = (value) => {
    let text = value === null || value === undefined ? "" : String(value);
    if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = `'${text}`; // no formulas from file names
    return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = rows.map((row) => [row.source, row.frame, row.time, row.track, ...row.box, row.expression,
    row.confidence, row.uncertain, ...labels.map((label) => row.probabilities[label])].map(cell).join(","));
  return `${[head.join(","), ...lines].join("\r\n")}\r\n`;
}

function download() {
  const address = URL.createObjectURL(new Blob([table()], { type: "text/csv" }));
  element("a", { href: address, download: "expressions.csv" }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

function clear() {
  generation += 1;
  cleanups.splice(0).forEach((done) => done());
  rows.length = 0;
  $("results").replaceChildren();
  $("toolbar").hidden = true;
  say("");
}

const isVideo = (file) => file.type.startsWith("video/")
  || (!file.type && /\.(mp4|m4v|mov|mkv|webm|avi|mpe?g|3gp|ts|wmv|flv|ogv)$/i.test(file.name));

async function take(files) {
  const known = [...files].filter((file) => /^(image|video)\//.test(file.type) || !file.type);
  const strange = [...files].length - known.length;
  say(strange ? `${strange} file${strange === 1 ? " is" : "s are"} neither picture nor video and left out.` : "", strange > 0);
  const mine = generation;
  const queue = known.slice();
  const worker = async () => {
    for (let file = queue.shift(); file && mine === generation; file = queue.shift()) {
      await (isVideo(file) ? showVideo(file) : showPhoto(file));
    }
  };
  await Promise.all([worker(), worker()]);
}

function wire() {
  const drop = $("drop");
  $("choose").addEventListener("click", () => $("files").click());
  $("files").addEventListener("change", (event) => { take(event.target.files); event.target.value = ""; });
  $("webcam").addEventListener("click", startCamera);
  $("stop").addEventListener("click", stopCamera);
  $("download").addEventListener("click", download);
  $("clear").addEventListener("click", clear);
  for (const name of ["dragover", "dragenter"]) {
    document.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) drop.classList.remove("over"); });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    take(event.dataTransfer.files);
  });
  document.addEventListener("paste", (event) => { if (event.clipboardData.files.length) take(event.clipboardData.files); });
  window.addEventListener("pagehide", () => cleanups.forEach((done) => done()));
  $("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    key = $("key").value.trim();
    greet();
  });
  greet();
}

/** Learn about the model; where the server asks for a key, ask the user for it. */
async function greet() {
  try {
    const model = await ask("/v1/model");
    const doubt = model.threshold ? `, sure from ${percent(model.threshold)}` : "";
    $("model").textContent = `model ${model.name}: ${model.labels.length} expressions${doubt}`;
    limits = model.limits ?? {};
    $("key-form").hidden = true;
    $("inputs").hidden = false;
    say("");
  } catch (error) {
    if (error.status === 401) {
      $("key-form").hidden = false;
      $("inputs").hidden = true;
      $("key").focus();
      if (!key) return say("");
    }
    say(error.message, true);
  }
}

wire();
