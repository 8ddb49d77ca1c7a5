// SPDX-License-Identifier: Apache-2.0
// Runs scenarios in one Chromium, as a line of JSON on standard input asks for them:
//   {"scenario": "search", "url": "http://…", "args": {…}}
// and answers each with {"done": true} or {"error": "…"}. In between a scenario may tell the other side something and
// wait for it: {"told": "…"} is answered with any line.
import { createRequire } from "node:module";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
	"--disable-component-update", "--disable-sync"];
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
// Only ever used up by a scenario that fails.
const PATIENCE_MS = 240_000;
const shots = process.env.LARDER_SCREENSHOTS;
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

async function read() {
	const { value, done } = await lines.next();
	return done ? null : JSON.parse(value);
}

function write(message) {
	process.stdout.write(JSON.stringify(message) + "\n");
}

export function assert(condition, text) {
	if (!condition) {
		throw new Error(text);
	}
}

// What a page may never do: fail in its scripts, break its own policy, ask another host, open a dialog.
function watch(page, url, faults) {
	page.on("pageerror", (error) => faults.push(`a script failed: ${error.stack}`));
	page.on("dialog", (dialog) => {
		faults.push(`a dialog was opened: ${dialog.message()}`);
		dialog.dismiss();
	});
	page.on("request", (request) => {
		if (!request.url().startsWith(`${url}/`)) {
			faults.push(`${request.url()} was asked for`);
		}
	});
	page.on("console", (message) => {
		if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) {
			faults.push(`the console says: ${message.text()}`);
		}
	});
}

// What is serious; or, if all is set, whatever axe finds.
async function audit(page, all = false) {
	await page.evaluate(axe);
	const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
	const bad = violations.filter((violation) => all || ["serious", "critical"].includes(violation.impact));
	const told = bad.map((violation) => `${violation.id} (${violation.impact}): ${violation.nodes.slice(0, 5).map((node) => node.html).join("\n    ")}`);
	assert(bad.length === 0, `${page.url()}: ${told.join("\n  ")}`);
}

async function shoot(page, name, fullPage = true) {
	if (shots) {
		await mkdir(shots, { recursive: true });
		await page.screenshot({ path: `${shots}/${name}.png`, fullPage });
	}
}

// Waits until a condition holds in the page, which may follow what was done there a moment later. waitForFunction would look a
// second time by eval, which the page's policy forbids.
async function until(page, condition, text, argument) {
	const end = Date.now() + PATIENCE_MS;
	while (!(await page.evaluate(condition, argument))) {
		assert(Date.now() < end, text);
		await page.waitForTimeout(20);
	}
}

// A page that a click leads to: all of it is there, not only its heading.
async function arrive(page, heading) {
	await page.getByRole("heading", { level: 1, name: heading }).waitFor();
	await page.waitForLoadState("load");
}

async function tell(what) {
	write({ told: what });
	await read();
}

async function run(browser, { scenario, url, args }) {
	const faults = [];
	const contexts = [];
	async function open(path, options = {}) {
		const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
		context.setDefaultTimeout(PATIENCE_MS);
		contexts.push(context);
		const page = await context.newPage();
		watch(page, url, faults);
		await page.goto(url + path);
		return page;
	}
	const { default: play } = await import(`./scenarios/${scenario}.mjs`);
	try {
		await play({ open, audit, shoot, tell, until, arrive, assert, url, args });
		assert(faults.length === 0, faults.join("\n"));
	} finally {
		await Promise.all(contexts.map((context) => context.close()));
	}
}

const profile = await mkdtemp(`${tmpdir()}/larder-browser-`);
const browser = await chromium.launch({
	executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
	args: ARGUMENTS,
	env: { ...process.env, HOME: profile },
});
write({ version: browser.version() });
for (let job = await read(); job; job = await read()) {
	try {
		await run(browser, job);
		write({ done: true });
	} catch (error) {
		write({ error: error.stack });
	}
}
await browser.close();
await rm(profile, { recursive: true, force: true });
