// SPDX-License-Identifier: Apache-2.0
// What a first visit costs: node measure.mjs http://127.0.0.1:8080/ [PATH…]. Each page is loaded into an empty cache, once as it is
// and once over the slow line and on the slow processor that audits of phones assume; the middle one of five loads counts.
import { chromium } from "playwright-core";

const LOADS = 5;
const SETTINGS = [
	{ name: "as it is", viewport: { width: 1280, height: 900 } },
	{ name: "phone", viewport: { width: 412, height: 823 }, slower: 4, line: { offline: false, latency: 150, downloadThroughput: 1.6e6 / 8, uploadThroughput: 0.75e6 / 8 } },
];

function middle(numbers) {
	return numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
}

// Resolves with what the browser itself has noted of the load.
function read() {
	return new Promise((resolve) => {
		let largest = 0;
		let shifts = 0;
		new PerformanceObserver((list) => list.getEntries().forEach((entry) => { largest = entry.startTime; })).observe({ type: "largest-contentful-paint", buffered: true });
		new PerformanceObserver((list) => list.getEntries().forEach((entry) => { shifts += entry.value; })).observe({ type: "layout-shift", buffered: true });
		setTimeout(() => resolve({ first: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? NaN, largest, shifts }), 500);
	});
}

async function load(browser, url, { viewport, slower, line }) {
	const context = await browser.newContext({ viewport });
	const page = await context.newPage();
	const tools = await context.newCDPSession(page);
	let bytes = 0;
	let requests = 0;
	await tools.send("Network.enable");
	tools.on("Network.loadingFinished", (event) => { bytes += event.encodedDataLength; requests++; });
	if (line) {
		await tools.send("Network.emulateNetworkConditions", line);
		await tools.send("Emulation.setCPUThrottlingRate", { rate: slower });
	}
	await page.goto(url, { waitUntil: "load" });
	const told = await page.evaluate(read);
	await context.close();
	return { ...told, bytes, requests };
}

const [base, ...paths] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
for (const path of paths.length > 0 ? paths : ["/"]) {
	for (const setting of SETTINGS) {
		const loads = [];
		for (let i = 0; i < LOADS; i++) {
			loads.push(await load(browser, new URL(path, base).href, setting));
		}
		const of = (key) => middle(loads.map((one) => one[key]));
		console.log(`${path} (${setting.name}): first paint ${of("first").toFixed(0)} ms, largest paint ${of("largest").toFixed(0)} ms, ` +
			`shift ${of("shifts").toFixed(3)}, ${(of("bytes") / 1024).toFixed(1)} KiB in ${of("requests")} requests`);
	}
}
await browser.close();
