// A package of npm in the cross-tool table, measured in this process; cross_tool.py starts it.
//
//     node cross_tool_worker.mjs JOB.json RESULT.json
//
// It does what cross_tool_worker.py does for the tools in Python, with the package's own functions (see the files
// cross_tool_*.mjs), on the WebAssembly backend. Pictures are decoded as in face-api's demo of that backend.

import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { createRequire } from 'node:module';

const [jobFile, resultFile] = process.argv.slice(2);
const job = JSON.parse(fs.readFileSync(jobFile, 'utf8'));
const require = createRequire(path.join(job.options.folder, 'package.json'));
const folderOf = (name) => path.join(job.options.folder, 'node_modules', name);

const tf = require('@tensorflow/tfjs');
const wasm = require('@tensorflow/tfjs-backend-wasm');
const image = require('@canvas/image');
wasm.setWasmPaths(path.join(folderOf('@tensorflow/tfjs-backend-wasm'), 'dist', path.sep));
wasm.setThreadsCount(1);
await tf.setBackend('wasm');
await tf.ready();

const { entry, load } = await import({ 'face-api': './cross_tool_face_api.mjs', human: './cross_tool_human.mjs' }[job.tool]);
const tool = await load({ require, folderOf, options: job.options, detects: job.task === 'photos', tf });

const seconds = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1e6; };
const rounded = (value) => Math.round(value * 1e5) / 1e5;

const channels = job.channels ?? 1;

/** Gray or RGB faces (bytes, side x side x channels each) as RGB tensors. */
function tensors(bytes, side) {
  const faces = [];
  const size = side * side * channels;
  for (let start = 0; start < bytes.length; start += size) {
    const rgb = new Float32Array(3 * side * side);
    if (channels === 3) rgb.set(bytes.subarray(start, start + size));
    else for (let i = 0; i < size; i += 1) rgb.fill(bytes[start + i], 3 * i, 3 * i + 3);
    faces.push(tf.tensor3d(rgb, [side, side, 3]));
  }
  return faces;
}

async function classify(bytes, side) {
  const faces = tensors(bytes, side);
  const answers = await tool.classify(faces);
  tf.dispose(faces);
  return answers.map(({ labels, probabilities }) => [labels, probabilities.map(rounded)]);
}

async function findFaces(file) {
  const canvas = await image.imageFromBuffer(fs.readFileSync(file));
  const { data } = image.getImageData(canvas);
  const rgb = new Int32Array(3 * canvas.width * canvas.height);
  for (let from = 0, to = 0; from < data.length; from += 4, to += 3) rgb.set(data.subarray(from, from + 3), to);
  const picture = tf.tensor3d(rgb, [canvas.height, canvas.width, 3], 'int32');
  const faces = await tool.faces(picture);
  tf.dispose(picture);
  return faces.map((face) => ({ ...face, probabilities: face.probabilities.map(rounded) }));
}

/** Answers for all parts, and the processor time of the fastest: others share the machine's caches. */
async function timed(call, parts) {
  const answers = [];
  let fastest = Infinity;
  for (const part of parts) {
    const start = seconds();
    answers.push(await call(part));
    fastest = Math.min(fastest, seconds() - start);
  }
  return [answers, fastest];
}

async function measureCrops() {
  const group = 10;
  const bytes = fs.readFileSync(job.files[0]);
  const size = job.side * job.side * channels;
  const count = bytes.length / size;
  const whole = Math.floor(count / job.batch) * job.batch;
  const part = (row, rows) => bytes.subarray(row * size, (row + rows) * size);
  const parts = (rows, step) => Array.from({ length: Math.floor(rows / step) }, (_, index) => part(index * step, step));
  const together = (crops) => classify(crops, job.side);
  const oneByOne = async (crops) => {
    const answers = [];
    for (let from = 0; from < crops.length; from += size) answers.push(...await together(crops.subarray(from, from + size)));
    return answers;
  };
  await together(part(0, job.batch));
  const [batches, batchSeconds] = await timed(together, parts(whole, job.batch));
  if (whole < count) batches.push(await together(part(whole, count - whole)));
  const answers = batches.flat();
  await oneByOne(part(0, 1));
  const [groups, groupSeconds] = await timed(oneByOne, parts(job.single, group));
  const alone = groups.flat();
  const differences = alone.flatMap(([, values], row) => values.map((value, k) => Math.abs(value - answers[row][1][k])));
  return {
    labels: answers[0][0],
    probabilities: answers.map(([, values]) => values),
    batched_rate: job.batch / batchSeconds,
    single_rate: group / groupSeconds,
    largest_difference: Math.max(...differences),
  };
}

async function measurePhotos() {
  const found = [];
  let firstSeconds = 0;
  for (const file of job.files) {
    found.push(await findFaces(file));
    firstSeconds ||= seconds();
  }
  const round = async (files) => { for (const file of files) await findFaces(file); };
  const [, fastest] = await timed(round, Array(job.rounds).fill(job.files));
  return {
    labels: found.flat().map((face) => face.labels)[0] ?? [],
    photos: found.map((faces) => faces.map(({ box, score, probabilities }) => ({ box, score, probabilities }))),
    rate: job.files.length / fastest,
    first_seconds: firstSeconds,
  };
}

const measured = await (job.task === 'crops' ? measureCrops() : measurePhotos());
const peak = /VmHWM:\s+(\d+) kB/.exec(fs.readFileSync('/proc/self/status', 'utf8'));
fs.writeFileSync(resultFile, JSON.stringify({
  entry,
  version: tool.version,
  backend: tf.getBackend(),
  ...measured,
  peak_bytes: peak ? 1024 * Number(peak[1]) : 0,
}));
process.exit(0);
