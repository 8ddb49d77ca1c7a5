// SPDX-License-Identifier: Apache-2.0
// A publisher who wants a page to burst: it stays as wide as a phone, is read by keyboard, and nothing of it runs.
export default async function ({ open, audit, shoot, assert, args }) {
	for (const viewport of [{ width: 390, height: 740 }, { width: 1440, height: 900 }]) {
		for (const path of args.paths) {
			const page = await open(path, { viewport });
			await page.waitForLoadState();
			const [wide, room] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
			assert(wide <= room, `${path} is ${wide} wide on a screen of ${room}`);
			assert(await page.evaluate(() => globalThis.harmed) === undefined, `${path} ran something`);
			assert(await page.locator("main img, main iframe, main script, a[href^='javascript' i]").count() === 0, `${path} has foreign elements`);
			const ids = await page.locator("[id]").evaluateAll((all) => all.map((one) => one.id));
			assert(new Set(ids).size === ids.length, `${path} has an id twice`);
			const unreachable = await page.locator("main *").evaluateAll((all) => all.filter((one) =>
				one.scrollWidth > one.clientWidth + 1 && ["auto", "scroll"].includes(getComputedStyle(one).overflowX) && one.tabIndex < 0 &&
				!one.querySelector("a, button, [tabindex]")).map((one) => one.outerHTML.slice(0, 80)));
			assert(unreachable.length === 0, `${path} has what scrolls and cannot be focused: ${unreachable[0]}`);
			const deep = page.locator("blockquote p").filter({ hasText: "deep" });
			if (await deep.count() > 0) {
				assert((await deep.first().boundingBox()).width > 200, `${path} has text with no room`);
			}
			await audit(page);
			await shoot(page, `hostile-${viewport.width}-${args.paths.indexOf(path)}`);
		}
	}
	const page = await open(`${args.paths[0]}#%zz`);
	await page.getByRole("button", { name: /^Copy/ }).first().waitFor();
}
