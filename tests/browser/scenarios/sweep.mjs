// SPDX-License-Identifier: Apache-2.0
// Of each page, at as many widths and in as many schemes as are asked for (turns, of 4), and of those to be shown (gallery) at all: axe finds nothing at all, nothing is wider than the screen,
// nothing moves while it is loaded, what scrolls can be reached by keyboard, and it weighs no more than it may.
const NAMES = [[390, "light"], [1440, "dark"], [390, "dark"], [1440, "light"]];

function look() {
	const root = document.documentElement;
	const wide = [...document.querySelectorAll("body *")].filter((element) => element.getBoundingClientRect().right > root.clientWidth + 1 &&
		!element.closest(".scroll, pre, [class*=unseen], .code") && getComputedStyle(element).position !== "absolute");
	const [visit] = performance.getEntriesByType("navigation");
	return {
		over: root.scrollWidth - root.clientWidth,
		widest: wide.slice(0, 3).map((element) => element.outerHTML.slice(0, 200)),
		bytes: visit.encodedBodySize,
		paint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0,
	};
}

function watchShifts() {
	globalThis.shifts = [];
	new PerformanceObserver((list) => list.getEntries().filter((entry) => entry.value >= 0.01).forEach((entry) => {
		globalThis.shifts.push(`${entry.value.toFixed(3)} by ${entry.sources.map(({ node }) => node?.outerHTML?.slice(0, 120) ?? node?.nodeName).join("; ")}`);
	})).observe({ type: "layout-shift", buffered: true });
}

export default async function ({ open, audit, shoot, tell, assert, args }) {
	const pages = await Promise.all(NAMES.map(([width, colorScheme]) => open("/healthz", { viewport: { width, height: 900 }, colorScheme })));
	const faults = [];
	const paints = [];
	let heaviest = [0, ""];
	for (const page of pages) {
		await page.context().addInitScript(watchShifts);
	}
	for (const [number, path] of args.paths.entries()) {
		for (const [turn, page] of pages.entries()) {
			const shown = args.gallery.includes(path);
			if (!shown && (turn - number % pages.length + pages.length) % pages.length >= args.turns) {
				continue;
			}
			const name = `${path} at ${NAMES[turn].join(" px, ")}`;
			await page.goto(new URL(path, page.url()).href);
			await page.waitForLoadState("load");
			const moved = await page.evaluate(() => globalThis.shifts);
			await page.evaluate(() => document.querySelectorAll("details").forEach((details) => { details.open = true; }));
			const seen = await page.evaluate(look);
			paints.push(seen.paint);
			heaviest = seen.bytes > heaviest[0] ? [seen.bytes, path] : heaviest;
			for (const [holds, what] of [[seen.over <= 0, `is ${seen.over} px wider than the screen: ${seen.widest.join("\n    ")}`],
				[moved.length === 0, `moves: ${moved.join(", ")}`], [seen.bytes <= args.most, `weighs ${seen.bytes} bytes`]]) {
				if (!holds) {
					faults.push(`${name} ${what}`);
				}
			}
			await audit(page, true).catch((error) => faults.push(`${name}: ${error.message}`));
			if (shown) {
				await shoot(page, `gallery-${path.replace(/\W+/g, "-")}-${NAMES[turn].join("-")}`);
			}
		}
		if (number % 200 === 199) {
			await tell("going on");
		}
	}
	paints.sort((a, b) => a - b);
	console.error(`the heaviest of ${paints.length} pages: ${heaviest[1]}, ${heaviest[0]} bytes as they were sent; first paint after ` +
		`${Math.round(paints[Math.floor(paints.length / 2)])} ms (median)`);
	assert(faults.length === 0, faults.slice(0, 40).join("\n"));
}
