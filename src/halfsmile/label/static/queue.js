// Answers on their way to the server: in order, one request at a time, tried until they are saved.
//
// What is waiting lies in the browser's storage too, so that closing the tab loses nothing. Each answer has a
// token by which the server knows it again, so sending it twice does no harm.
import { Refused } from "./server.js";
import { names, readObject, write } from "./storage.js";

const SHELF = "waiting.";
const LONGEST_WAIT = 5000;
const MOST = 50; // answers in a request

/** Whether asking again may help: no answer, busy, key missing, broken, disk full. */
const mayPass = (error) => !(error instanceof Refused) || [0, 401, 408, 425, 429].includes(error.status) || error.status >= 500;

export class Queue {
  waiting = []; // {annotator, answer} or {annotator, undo: token}
  refused = []; // the same, with a reason
  problem = ""; // why the first one is not saved yet
  #sending = 0; // how many of the first are on their way
  #single = false; // after a refusal, until the one that is meant is found
  #pause = 0;
  #timer = 0;
  #idle = [];

  /**
   * @param {string} name of this tab
   * @param {(path: string, body: object) => Promise<object>} tell
   * @param {(answer: object | null) => void} changed called when something was added, saved or refused
   */
  constructor(name, tell, changed) {
    this.name = SHELF + name;
    this.tell = tell;
    this.changed = changed;
    addEventListener("online", () => this.retry());
  }

  /** Take what a closed tab left behind. */
  adopt() {
    const known = new Set();
    for (const name of names("browser", SHELF)) {
      const kept = readObject("browser", name);
      for (const pile of ["waiting", "refused"]) {
        for (const one of kept[pile] ?? []) if (!known.has(JSON.stringify(one))) this[pile].push(one);
      }
      for (const one of this.waiting) known.add(JSON.stringify(one));
      write("browser", name, null);
    }
    this.#keep();
    this.#send();
  }

  answer(annotator, ...answers) {
    this.waiting.push(...answers.map((answer) => ({ annotator, answer })));
    this.#keep();
    this.#send();
  }

  /** Take an answer back, by its token. */
  undo(annotator, token) {
    const index = this.waiting.findIndex((one, i) => i >= this.#sending && one.answer?.token === token);
    if (index >= 0) this.waiting.splice(index, 1);
    else this.waiting.push({ annotator, undo: token });
    this.#keep();
    this.#send();
  }

  isWaiting(token) {
    return this.waiting.some((one) => one.answer?.token === token);
  }

  /** Faces whose answers the server does not know yet. */
  faces() {
    return this.waiting.map((one) => one.answer?.face).filter(Boolean);
  }

  /** Resolves when nothing is waiting; at once where it can't be sent now. */
  settled() {
    if (!this.waiting.length || this.problem) return Promise.resolve(!this.waiting.length);
    return new Promise((done) => this.#idle.push(done));
  }

  /** Don't wait any longer. */
  retry() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#send();
  }

  /** Send what was refused once more, or leave it out for good. */
  decide(again) {
    if (again) this.waiting.push(...this.refused.map(({ annotator, answer, undo }) => (answer ? { annotator, answer } : { annotator, undo })));
    this.refused = [];
    this.#keep();
    this.retry();
  }

  async #send() {
    if (this.#sending || this.#timer || !this.waiting.length) return;
    const [first] = this.waiting;
    const end = this.waiting.findIndex((one) => !one.answer || one.annotator !== first.annotator);
    const count = first.answer ? Math.min(end < 0 ? this.waiting.length : end, this.#single ? 1 : MOST) : 1;
    this.#sending = count;
    const { annotator, undo } = first;
    let said = null;
    try {
      said = first.answer
        ? await this.tell("v1/answers", { annotator, answers: this.waiting.slice(0, count).map((one) => one.answer) })
        : await this.tell("v1/undo", { annotator, token: undo });
      this.waiting.splice(0, count);
      this.problem = "";
      this.#pause = 0;
      this.#single = false;
    } catch (error) {
      if (mayPass(error)) {
        this.problem = error.message;
        this.#pause = Math.min(LONGEST_WAIT, 2 * this.#pause || 400);
        this.#timer = setTimeout(() => this.retry(), this.#pause);
      } else if (count > 1) {
        this.#single = true;
      } else {
        this.refused.push({ ...this.waiting.shift(), reason: error.message });
        this.problem = "";
      }
    }
    this.#sending = 0;
    this.#keep(said);
    if (!this.waiting.length || this.problem) this.#idle.splice(0).forEach((done) => done(!this.waiting.length));
    this.#send();
  }

  #keep(said = null) {
    const { waiting, refused } = this;
    write("browser", this.name, waiting.length || refused.length ? JSON.stringify({ waiting, refused }) : null);
    this.changed(said);
  }
}
