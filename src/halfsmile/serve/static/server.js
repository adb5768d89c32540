// Talks to the server: asks, asks again where it is busy, and turns refusals into one clear sentence.
import { $, say } from "./dom.js";

export const server = {
  key: "", // of a server that asks for one; kept in this page only
  limits: {}, // what it takes
  refusedKey: () => undefined, // called where the key is missing or wrong
};

/** An address of this server, wherever below another one's path it is reached. */
export const at = (address) => new URL(address, new URL("../", import.meta.url)).href;

export class Refused extends Error {}

const BUSY = "The server is busy; trying again…";

export const withKey = (options = {}) => (
  server.key ? { ...options, headers: { Authorization: `Bearer ${server.key}` } } : options
);

/** Why a file is too large for the server, or "". */
export function tooLarge(file, most) {
  const mib = (bytes) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
  return most && file.size > most ? `${file.name} has ${mib(file.size)}; this server takes ${mib(most)} (serve --limits).` : "";
}

/** What went wrong, for people. */
export const told = (error) => (error instanceof Refused ? error.message : String(error));

/** An answer of the server. Busy ones are asked again. */
async function answered(address, options, tries = 6) {
  let answer;
  try {
    answer = await fetch(at(address), withKey(options));
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused("The server can't be reached. Is it still running?");
  }
  if (answer.status === 429 && tries > 0) {
    say(BUSY);
    const wait = Number(answer.headers.get("retry-after")) || 1;
    await new Promise((done) => setTimeout(done, 1000 * Math.min(wait, 5)));
    const later = await answered(address, options, tries - 1);
    if ($("status").textContent === BUSY) say("");
    return later;
  }
  if (!answer.ok) {
    const body = await answer.json().catch(() => ({}));
    const detail = typeof body.detail === "string" ? body.detail : body.error;
    if (answer.status === 401) server.refusedKey();
    throw Object.assign(new Refused(detail || `The server answered ${answer.status}.`), { status: answer.status });
  }
  return answer;
}

/** The server's answer as JSON. */
export const ask = async (address, options = {}) => (await answered(address, options)).json();

/** A stream of JSON lines, one call each, and one after each piece of the stream. */
export async function readLines(address, signal, each, after) {
  const answer = await answered(address, { signal });
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
