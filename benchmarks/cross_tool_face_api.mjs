// The npm package @vladmandic/face-api, with its own public functions; cross_tool_worker.mjs calls this.

import path from 'node:path';

export const entry = 'faceExpressionNet.predictExpressions; detectAllFaces().withFaceLandmarks().withFaceExpressions()';

/** Loads its networks; the one for detection only where faces are looked for. */
export async function load({ require, folderOf, options, detects }) {
  const faceapi = require('@vladmandic/face-api/dist/face-api.node-wasm.js');
  const detector = options.detector === 'tiny' ? 'tinyFaceDetector' : 'ssdMobilenetv1';
  const models = path.join(folderOf('@vladmandic/face-api'), 'model');
  const nets = detects ? [detector, 'faceLandmark68Net', 'faceExpressionNet'] : ['faceExpressionNet'];
  for (const name of nets) await faceapi.nets[name].loadFromDisk(models);
  const detectorOptions = options.detector === 'tiny'
    ? new faceapi.TinyFaceDetectorOptions() : new faceapi.SsdMobilenetv1Options();
  const read = (expressions) => ({ labels: Object.keys(expressions), probabilities: Object.values(expressions) });

  return {
    version: `${faceapi.version}`,

    async classify(crops) {
      return [await faceapi.nets.faceExpressionNet.predictExpressions(crops)].flat().map(read);
    },

    async faces(picture) {
      const found = await faceapi.detectAllFaces(picture, detectorOptions).withFaceLandmarks().withFaceExpressions();
      return found.map(({ detection: { box, score }, expressions }) => ({
        box: [box.left, box.top, box.right, box.bottom], score, ...read(expressions),
      }));
    },
  };
}
