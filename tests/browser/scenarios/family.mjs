// SPDX-License-Identifier: Apache-2.0
// One model in three formats: a row in lists, tabs on its page, of which the chosen one is in the address and kept.
export default async function ({ open, audit, shoot, assert }) {
	const page = await open("/");
	assert(await page.locator(".card").count() === 2, "a deployment has a row of its own");
	const row = page.locator(".card").filter({ hasText: "acme/speech" });
	await row.getByRole("link", { name: "TF.js" }).waitFor();
	await audit(page);
	await shoot(page, "family-list");
	await row.getByRole("link", { name: "TF Lite 2" }).click();
	await page.waitForURL(/acme\/speech#format-tflite$/);
	const formats = page.getByRole("tablist", { name: "Formats" });
	const chosen = () => formats.getByRole("tab", { selected: true }).textContent();
	await formats.waitFor();
	assert(/^TF Lite/.test(await chosen()), `the address names TF Lite, and ${await chosen()} is chosen`);
	assert(await page.getByRole("tabpanel", { name: /TF Lite/ }).getByRole("link", { name: /^acme\// }).count() === 2, "not both are listed");
	await audit(page);
	await shoot(page, "family-page");

	await formats.getByRole("tab", { selected: true }).focus();
	await page.keyboard.press("ArrowLeft");
	assert(await chosen() === "TF.js", "the arrow does not lead to the next tab");
	await page.waitForURL(/#format-tfjs$/);
	await page.getByRole("tab", { name: "curl", exact: true }).click();
	assert(await chosen() === "TF.js", "another box of tabs changed this one");
	await page.getByRole("tabpanel", { name: "TF.js" }).getByRole("link", { name: "acme/tfjs-model/speech/1", exact: true }).click();
	await page.waitForURL(/tfjs-model\/speech\/1$/);
	await formats.waitFor();
	assert(await chosen() === "TF.js", "the choice was not kept");
	await page.getByRole("tabpanel", { name: "TF.js" }).locator("[aria-current=page]").waitFor();
	await page.evaluate(() => { location.hash = "#format-all"; });
	await page.getByRole("tabpanel", { name: /All/ }).waitFor();
	assert(await page.getByRole("tabpanel", { name: /All/ }).getByRole("listitem").count() === 4, "not all are listed");

	const plain = await open("/acme/speech/1#format-tfjs", { javaScriptEnabled: false, reducedMotion: "reduce" });
	for (const heading of ["TensorFlow", "TF.js"]) {
		await plain.getByRole("heading", { level: 3, name: heading, exact: true }).waitFor();
	}
	// Without scripts nobody tells whether a page that goes to its anchor has come to rest, as a click would wait for.
	await plain.locator("#format-tfjs").getByRole("link", { name: "acme/tfjs-model/speech/1", exact: true }).press("Enter");
	await plain.waitForURL(/tfjs-model\/speech\/1$/);

	const phone = await open("/acme/speech/1", { viewport: { width: 390, height: 740 }, hasTouch: true, isMobile: true });
	await phone.getByRole("tablist", { name: "Formats" }).waitFor();
	const [wide, room] = await phone.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
	assert(wide <= room, `the page is ${wide} wide on a screen of ${room}`);
	await audit(phone);
}
