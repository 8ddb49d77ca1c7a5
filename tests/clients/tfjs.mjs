// SPDX-License-Identifier: Apache-2.0
// TF.js as its users drive it: reads one JSON request a line from standard input and answers each with a line.
//   {"do": "load", "from": FOLDER or URL, "kind": "graph" | "layers"}   keeps the model and answers what is in it
//   {"do": "save", "to": URL, "method": METHOD, "token": TOKEN}         saves the model that is kept
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(import.meta.url);
const tf = require("@tensorflow/tfjs-core");
const layers = require("@tensorflow/tfjs-layers");
const converter = require("@tensorflow/tfjs-converter");
require("@tensorflow/tfjs-backend-cpu");

let model;

// A folder's files, without any server: what the others are compared with.
function folder(path) {
	return {
		async load() {
			const json = JSON.parse(await readFile(`${path}/model.json`, "utf8"));
			const shards = json.weightsManifest.flatMap((group) => group.paths);
			const bytes = Buffer.concat(await Promise.all(shards.map((shard) => readFile(`${path}/${shard}`))));
			const weights = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
			return tf.io.getModelArtifactsForJSON(json, async (manifest) => [tf.io.getWeightSpecs(manifest), weights]);
		},
	};
}

function load({ from, kind }) {
	const isUrl = from.startsWith("http");
	if (kind === "graph")
		return converter.loadGraphModel(isUrl ? from : folder(from), { fromTFHub: isUrl });
	return layers.loadLayersModel(isUrl ? `${from}/model.json?tfjs-format=file` : folder(from));
}

function weightsOf(loaded) {
	if (loaded.getNamedWeights)
		return loaded.getNamedWeights().map(({ originalName, tensor }) => [originalName, tensor]);
	return Object.entries(loaded.weights).flatMap(([name, tensors]) => tensors.map((tensor) => [name, tensor]));
}

// Names, shapes and values of all weights.
function describe(loaded) {
	const hash = createHash("sha256");
	const weights = weightsOf(loaded).sort(([a], [b]) => (a < b ? -1 : 1));
	for (const [name, tensor] of weights) {
		hash.update(JSON.stringify([name, tensor.dtype, tensor.shape]));
		hash.update(Buffer.from(Float64Array.from(tensor.dataSync()).buffer));
	}
	return { weights: weights.length, digest: hash.digest("hex"), inputs: loaded.inputs.length, outputs: loaded.outputs.length };
}

const actions = {
	async load(request) {
		model = await load(request);
		return describe(model);
	},
	async save({ to, method, token }) {
		const requestInit = { headers: { Authorization: `Bearer ${token}` }, ...(method ? { method } : {}) };
		const result = await model.save(tf.io.http(to, { requestInit }));
		return { status: result.responses[0].status, bytes: result.modelArtifactsInfo.weightDataBytes };
	},
};

await tf.setBackend("cpu");
console.log(JSON.stringify({ version: tf.version_core }));
for await (const line of createInterface({ input: process.stdin })) {
	const request = JSON.parse(line);
	try {
		console.log(JSON.stringify(await actions[request.do](request)));
	} catch (fault) {
		console.log(JSON.stringify({ error: fault.message }));
	}
}
