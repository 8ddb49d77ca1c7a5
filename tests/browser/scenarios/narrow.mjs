// SPDX-License-Identifier: Apache-2.0
// A phone: nothing sticks out at the side, filters fold away.
export default async function ({ open, shoot, assert, args }) {
	for (const [path, name] of [["/", "home"], ["/acme/nnlm-en/1", "module"], ["/acme", "publisher"], ["/-/compare/acme/nnlm-en", "compare"],
		["/-/collections", "collections"], ["/-/collections/lab/pictures", "collection"], ["/-/activity", "activity"], ["/no/such/1", "unknown"]]) {
		const page = await open(path, { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
		await page.waitForLoadState();
		const [wide, room] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
		assert(wide <= room && room <= 360, `${path} is ${wide} wide on a screen of ${room}`);
		await shoot(page, `phone-${name}`);
	}
	const page = await open("/", { viewport: { width: 360, height: 740 } });
	const box = page.getByRole("group", { name: "Task" }).getByLabel("text-embedding");
	const fold = page.getByRole("button", { name: "Filters" });
	assert(!await box.isVisible(), "filters are in the way");
	await fold.click();
	assert(await fold.getAttribute("aria-expanded") === "true", "the button does not tell");
	await box.check();
	await page.locator("#count").getByText("2 modules match").waitFor();
	assert(await box.isVisible() && await box.isChecked(), "the filters folded up again");
}
