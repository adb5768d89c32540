// The page's wiring: files come in, are shown two at a time, and what became of them is said. Nothing is stored.
import { $, say } from "./dom.js";
import { percent } from "./draw.js";
import { showPhoto } from "./photo.js";
import { clear, download, release, shown } from "./results.js";
import { ask, server } from "./server.js";
import { showVideo } from "./video.js";
import { startCamera, stopCamera } from "./webcam.js";

const isVideo = (file) => file.type.startsWith("video/")
  || (!file.type && /\.(mp4|m4v|mov|mkv|webm|avi|mpe?g|3gp|ts|wmv|flv|ogv)$/i.test(file.name));
const some = (number, one, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;

const queue = [];
let workers = 0;
let tally = null; // of the files since the queue was last empty

/** Take files that were dropped, chosen or pasted; those before them come first. */
function take(files) {
  if ($("inputs").hidden) return say("The server asks for its key first.", true);
  const known = [...files].filter((file) => /^(image|video)\//.test(file.type) || !file.type);
  tally ??= { files: 0, done: 0, faces: 0, people: 0, unread: 0, videos: 0, strange: 0, generation: shown.generation };
  tally.files += known.length;
  tally.strange += [...files].length - known.length;
  queue.push(...known);
  report();
  while (workers < 2 && queue.length) work();
}

async function work() {
  workers += 1;
  for (let file = queue.shift(); file; file = queue.shift()) {
    const own = tally;
    const isFilm = isVideo(file);
    const found = await (isFilm ? showVideo(file) : showPhoto(file));
    if (own.generation !== shown.generation) continue;
    own.done += 1;
    if (found === null) own.unread += 1;
    else if (isFilm) { own.videos += 1; own.people += found; }
    else own.faces += found;
    report();
  }
  workers -= 1;
}

/** Say how far the files are and, in the end, what was found. */
function report() {
  const { files, done, faces, people, videos, unread, strange } = tally;
  const left = strange ? `${some(strange, "file is", "files are")} neither picture nor video and left out.` : "";
  if (done < files) return say(`${done} of ${some(files, "file")} analyzed… ${left}`.trim(), strange > 0);
  const found = [
    files - videos - unread > 0 ? some(faces, "face") : "",
    videos ? `${some(people, "person", "people")} in ${some(videos, "video")}` : "",
    unread ? `${unread} not analyzed` : "",
  ].filter(Boolean).join(", ");
  say(`${files ? `${some(files, "file")}: ${found}.` : ""} ${left}`.trim(), strange + unread > 0);
  tally = null;
}

function forget() {
  queue.length = 0;
  tally = null;
  clear();
}

/** Where the server asks for a key, ask the user for it. */
function askForKey() {
  $("key-form").hidden = false;
  $("inputs").hidden = true;
  $("key").focus();
}

/** Learn about the model. */
async function greet() {
  try {
    const model = await ask("./v1/model");
    const doubt = model.threshold === null ? ", certainty unknown: it was not calibrated" : `, sure from ${percent(model.threshold)}`;
    $("model").textContent = `model ${model.name}: ${model.labels.length} expressions${doubt}; faces found by ${model.detector}`;
    server.limits = model.limits ?? {};
    $("inputs").hidden = false;
    if (!$("key-form").hidden) $("choose").focus();
    $("key-form").hidden = true;
    say("");
  } catch (error) {
    if (error.status === 401 && !server.key) return say("");
    say(error.message, true);
  }
}

function wire() {
  const drop = $("drop");
  $("choose").addEventListener("click", () => $("files").click());
  $("files").addEventListener("change", (event) => { take(event.target.files); event.target.value = ""; });
  $("webcam").addEventListener("click", startCamera);
  $("stop").addEventListener("click", stopCamera);
  $("download").addEventListener("click", download);
  $("clear").addEventListener("click", forget);
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
  window.addEventListener("pagehide", release);
  server.refusedKey = askForKey;
  $("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    server.key = $("key").value.trim();
    greet();
  });
  greet();
}

wire();
