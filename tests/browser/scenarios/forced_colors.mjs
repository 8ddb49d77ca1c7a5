// SPDX-License-Identifier: Apache-2.0
// With the colours of the system, light and dark: what is chosen, where one is, what matched and what has the focus can still be told
// from what is not. axe is not asked: it takes the page's own -webkit-text-fill-color for the colour of a text, which the system's replaces.
function look(element) {
	const style = getComputedStyle(element);
	return { background: style.backgroundColor, color: style.color, outline: style.outlineStyle };
}

// What the system's colours are, as a browser tells them of an element that has them.
function chosenBySystem() {
	const probe = document.body.appendChild(document.createElement("p"));
	probe.style.cssText = "forced-color-adjust: none; background: Highlight; color: HighlightText";
	const { backgroundColor, color } = getComputedStyle(probe);
	probe.remove();
	return { background: backgroundColor, color };
}

export default async function ({ open, shoot, assert }) {
	for (const colorScheme of ["light", "dark"]) {
		const page = await open("/acme/nnlm-en/1", { colorScheme, forcedColors: "active" });
		assert(await page.evaluate(() => matchMedia("(forced-colors: active)").matches), "no colours are forced");
		const system = await page.evaluate(chosenBySystem);
		const chosen = await page.getByRole("tab", { selected: true }).first().evaluate(look);
		const other = await page.getByRole("tab", { selected: false }).first().evaluate(look);
		assert(chosen.background === system.background && chosen.color === system.color && chosen.background !== other.background,
			`the chosen tab is ${JSON.stringify(chosen)}, another one ${JSON.stringify(other)}, the system's choice ${JSON.stringify(system)}`);
		await page.keyboard.press("Tab");
		assert((await page.locator(":focus").evaluate(look)).outline !== "none", "the focus cannot be seen");
		await shoot(page, `forced-${colorScheme}-module`);

		for (const [path, told] of [["/?q=resnet", "mark"], ["/-/activity", "nav [aria-current]"], ["/-/compare/acme/nnlm-en?from=1&to=2", ".change"]]) {
			await page.goto(new URL(path, page.url()).href);
			const shown = page.locator(told).first();
			await shown.waitFor();
			assert((await shown.evaluate(look)).outline !== "none", `${told} of ${path} is like everything else`);
			await shoot(page, `forced-${colorScheme}${path.replace(/\W+/g, "-")}`);
		}
	}
}
