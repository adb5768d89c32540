// Talks to the server, under whatever address this page has, and turns refusals into one clear sentence.

export const server = {
  key: "", // of a server that asks for one; kept in this page only
  refusedKey: () => undefined, // called where the key is missing or wrong
};

/** The server said no, with its status; 0 where it could not be reached at all. */
export class Refused extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** An address of the server, relative to this page, with what is asked. */
export function place(address, asked = {}) {
  const url = new URL(address.replace(/^\//, ""), document.baseURI.replace(/[#?].*$/, ""));
  for (const [name, value] of Object.entries(asked)) if (value !== "" && value !== undefined) url.searchParams.set(name, value);
  return url.href;
}

async function answered(address, options) {
  const headers = { ...options.headers, ...(server.key ? { Authorization: `Bearer ${server.key}` } : {}) };
  let answer;
  try {
    answer = await fetch(address, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused("The server can’t be reached. Is it still running?", 0);
  }
  if (!answer.ok) {
    const body = await answer.json().catch(() => ({}));
    if (answer.status === 401) server.refusedKey();
    const detail = typeof body.detail === "string" ? body.detail : `The server answered ${answer.status}.`;
    throw new Refused(detail, answer.status);
  }
  return answer;
}

/** Ask: the answer as JSON. */
export const ask = async (address, asked = {}, options = {}) => (await answered(place(address, asked), options)).json();

/** Tell: a JSON body, the answer as JSON. */
export const tell = async (address, body) => (await answered(place(address), {
  method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
})).json();

/** Save a file that the server makes. */
export async function download(address, asked, name) {
  const link = document.createElement("a");
  link.download = name;
  if (!server.key) {
    link.href = place(address, asked);
    link.click();
    return;
  }
  link.href = URL.createObjectURL(await (await answered(place(address, asked), {})).blob());
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Let an image show a picture of the server, when the browser finds time. */
export async function show(image, address) {
  if (server.key) {
    const own = URL.createObjectURL(await (await answered(place(address), {})).blob());
    for (const end of ["load", "error"]) image.addEventListener(end, () => URL.revokeObjectURL(own), { once: true });
    image.src = own;
  } else image.src = place(address);
  return image;
}

/** A picture of the server, decoded: it can be shown at once. */
export async function decoded(address) {
  const image = await show(Object.assign(new Image(), { alt: "" }), address);
  await image.decode();
  return image;
}
