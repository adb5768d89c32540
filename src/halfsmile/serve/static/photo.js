// One photo: asked about, shown with its faces.
import { element } from "./dom.js";
import { drawFaces, faceArticle } from "./draw.js";
import { addRow, newCard, onClear, shown } from "./results.js";
import { ask, server, told, tooLarge } from "./server.js";

/** Whether a picture moves; false where the browser can't tell. */
async function isAnimated(file) {
  try {
    const decoder = new ImageDecoder({ data: file.stream(), type: file.type });
    await decoder.tracks.ready;
    return decoder.tracks.selectedTrack.animated;
  } catch {
    return file.type === "image/gif";
  }
}

/** The address of a file's first picture, which is what the server reads of an animation. */
async function firstPicture(file) {
  const first = await createImageBitmap(file);
  const canvas = element("canvas", { width: first.width, height: first.height });
  canvas.getContext("2d").drawImage(first, 0, 0);
  const blob = await new Promise((done) => canvas.toBlob(done));
  return URL.createObjectURL(blob);
}

/** Show a photo. Returns how many faces it has, or null if that can't be told. */
export async function showPhoto(file) {
  const mine = shown.generation;
  const name = file.name || "picture";
  const parts = newCard(name);
  const { fail } = parts;
  const large = tooLarge(file, server.limits.body_bytes);
  if (large) return fail(large);
  const address = URL.createObjectURL(file);
  onClear(() => URL.revokeObjectURL(address));
  const image = element("img", { src: address, alt: `The picture ${name}` });
  const canvas = element("canvas");
  canvas.setAttribute("aria-hidden", "true");
  parts.stage.append(image, canvas);
  image.addEventListener("error", () => { parts.stage.hidden = true; });
  parts.side.textContent = "looking…";
  const abort = new AbortController();
  onClear(() => abort.abort());
  const remark = (text) => parts.title.after(element("p", { className: "wide hint", textContent: text }));
  const form = new FormData();
  form.append("files", file, name);
  try {
    const answer = await ask("./v1/predict", { method: "POST", body: form, signal: abort.signal });
    const result = answer.results[0];
    let canBeShown = true;
    const moves = !result.error && await isAnimated(file);
    if (moves) {
      const still = await firstPicture(file).catch(() => null);
      if (still) {
        onClear(() => URL.revokeObjectURL(still));
        image.src = still;
      }
    }
    if (!result.error) await image.decode().catch(() => { canBeShown = false; });
    if (mine !== shown.generation) return null;
    if (result.error) return fail(result.error);
    if (!canBeShown) remark("This browser can't show the picture; its faces were read all the same.");
    if (moves) remark("A moving picture: its first one is shown and read here; halfsmile predict reads all.");
    const many = result.faces.length;
    const faces = result.faces.sort((a, b) => a.box[0] - b.box[0])
      .map((face, i) => (many > 1 ? { ...face, number: i + 1, many } : face));
    const draw = () => drawFaces(canvas, faces, result.width, result.height);
    new ResizeObserver(draw).observe(parts.stage);
    draw();
    parts.side.textContent = many === 1 ? "1 face" : `${many} faces`;
    for (const face of faces) {
      parts.faces.append(faceArticle(face, canBeShown ? image : null));
      addRow(name, face);
    }
    if (!many) {
      parts.faces.replaceChildren(element("p", { textContent: "No face was found in this picture." }));
      addRow(name, { reason: "no face" });
    }
    return many;
  } catch (error) {
    return error.name === "AbortError" ? null : fail(told(error));
  }
}
