// The npm package @vladmandic/human; cross_tool_worker.mjs calls this.
//
// It has no public function for a face that is cut out already, so crops go to its network as src/gear/emotion.ts
// gives it faces: 64 pixels, gray, -1 to 1. On whole pictures human.detect is asked.

import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

export const entry = 'the network emotion.json; human.detect';

const LABELS = ['angry', 'disgust', 'fear', 'happy', 'sad', 'surprise', 'neutral'];
const off = { enabled: false };

/** Its models are files of the package, which it fetches; fetch does not read files in Node. */
function readFilesByFetch() {
  const fetched = globalThis.fetch;
  globalThis.fetch = async (url, ...rest) => (`${url}`.startsWith('file:')
    ? new Response(fs.readFileSync(fileURLToPath(url))) : fetched(url, ...rest));
}

export async function load({ require, folderOf, detects, tf }) {
  readFilesByFetch();
  const models = path.join(folderOf('@vladmandic/human'), 'models', path.sep);
  const modelBasePath = pathToFileURL(models).href;
  const { Human } = require(path.join(folderOf('@vladmandic/human'), 'dist', 'human.node-wasm.js'));
  const human = new Human({
    backend: 'wasm', modelBasePath, debug: false, async: false, cacheSensitivity: 0, filter: off, gesture: off,
    wasmPath: path.join(folderOf('@tensorflow/tfjs-backend-wasm'), 'dist', path.sep),
    body: off, hand: off, object: off, segmentation: off,
    face: {
      detector: { maxDetected: 20, skipFrames: 0, skipTime: 0 }, iris: off, description: off, antispoof: off, liveness: off,
      emotion: { enabled: true, minConfidence: 0, skipFrames: 0, skipTime: 0 },
    },
  });
  const network = detects ? null : await tf.loadGraphModel(`${modelBasePath}emotion.json`);
  if (detects) await human.load();

  return {
    version: `${human.version}`,

    async classify(crops) {
      const rows = tf.tidy(() => {
        const faces = tf.image.resizeBilinear(tf.stack(crops), [64, 64]).div(255);
        const gray = faces.mul(tf.tensor1d([0.2989, 0.587, 0.114])).sum(3, true);
        return network.execute(gray.sub(0.5).mul(2));
      });
      const values = await rows.array();
      tf.dispose(rows);
      return values.map((probabilities) => ({ labels: LABELS, probabilities }));
    },

    async faces(picture) {
      const { face } = await human.detect(picture);
      return face.map(({ box: [x, y, width, height], boxScore, emotion }) => ({
        box: [x, y, x + width, y + height],
        score: boxScore,
        labels: LABELS,
        probabilities: LABELS.map((label) => emotion.find((one) => one.emotion === label)?.score ?? 0),
      }));
    },
  };
}
