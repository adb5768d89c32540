// The webcam: pictures over a WebSocket, the next one when the last was answered.
import { $, element, say } from "./dom.js";
import { drawFaces, faceArticle } from "./draw.js";
import { at, server } from "./server.js";

const REASONS = {
  NotAllowedError: "The camera was not allowed.",
  NotFoundError: "No camera was found.",
  NotReadableError: "The camera can't be read; perhaps another program uses it.",
  AbortError: "The camera can't be read; perhaps another program uses it.",
};

let camera = null;

export async function startCamera() {
  if (camera || $("webcam").disabled) return;
  if (!navigator.mediaDevices) return say("This browser gives no camera to pages that are not served by https or localhost.", true);
  $("webcam").disabled = true;
  const video = $("live-video");
  let media;
  try {
    media = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 640 } }, audio: false });
    video.srcObject = media;
    await video.play();
  } catch (error) {
    for (const track of media?.getTracks() ?? []) track.stop();
    video.srcObject = null;
    $("webcam").disabled = false;
    $("webcam").focus();
    return say(media ? "The camera's picture can't be shown." : REASONS[error.name] ?? `The camera can't be used (${error.name}).`, true);
  }
  say("");
  $("live").hidden = false;
  $("stop").focus();
  const protocols = server.key ? ["halfsmile", `halfsmile.key.${base64url(server.key)}`] : ["halfsmile"];
  const socket = new WebSocket(at("./v1/stream").replace(/^http/, "ws"), protocols);
  const own = { media, socket };
  camera = own;
  let answered = []; // when the last pictures were
  const grab = element("canvas");
  const send = () => {
    if (camera !== own || socket.readyState !== WebSocket.OPEN) return;
    if (document.hidden || !video.videoWidth) { setTimeout(send, 200); return; }
    grab.width = video.videoWidth;
    grab.height = video.videoHeight;
    grab.getContext("2d").drawImage(video, 0, 0);
    grab.toBlob((blob) => {
      if (camera !== own || socket.readyState !== WebSocket.OPEN) return;
      if (blob) socket.send(blob); else setTimeout(send, 200);
    }, "image/jpeg", 0.85);
  };
  socket.addEventListener("open", send);
  socket.addEventListener("message", (event) => {
    if (camera !== own) return;
    const answer = JSON.parse(event.data);
    if (answer.error) { say(answer.error, true); setTimeout(send, 500); return; }
    drawFaces($("live-canvas"), answer.faces, answer.width, answer.height);
    $("live-faces").replaceChildren(...answer.faces.map((face) => faceArticle(face, grab)));
    const now = performance.now();
    answered = [...answered.filter((time) => now - time < 2000), now];
    $("live-rate").textContent = `${(answered.length / 2).toFixed(0)} pictures/s · nothing is recorded`;
    send();
  });
  const lose = (reason) => {
    if (camera !== own) return;
    stopCamera();
    say(reason, true);
  };
  socket.addEventListener("close", (event) => lose(event.reason || "The connection to the server ended."));
  for (const track of media.getTracks()) track.addEventListener("ended", () => lose("The camera went away."));
}

export function stopCamera() {
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

function base64url(text) {
  const bytes = String.fromCharCode(...new TextEncoder().encode(text));
  return btoa(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
