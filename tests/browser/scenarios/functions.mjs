// SPDX-License-Identifier: Apache-2.0
// A hundred and twenty signatures are a few screens, the default one open; words sift them; a client that was chosen stays chosen.
export default async function ({ open, audit, shoot, assert }) {
	const page = await open("/acme/many/1");
	await page.waitForLoadState("load");
	const lines = page.locator(".function");
	assert(await lines.count() === 120, `${await lines.count()} lines`);
	assert(await page.locator("details.function[open]").count() === 1, "not one is open");
	const tall = await page.evaluate(() => document.documentElement.scrollHeight);
	assert(tall < 12000, `the page is ${tall} px tall`);
	await page.getByLabel("Filter").fill("method_01 string");
	assert(await page.locator(".function:visible").count() === 5, "words do not sift");
	await page.getByLabel("Filter").fill("");
	assert(await page.locator(".function:visible").count() === 120, "what was sifted does not come back");
	await audit(page);
	await shoot(page, "many-signatures");

	await page.getByRole("tab", { name: "TF Serving" }).click();
	await page.waitForURL(/#use-serving$/);
	await page.goto(page.url().replace(/#.*/, ""));
	await page.waitForLoadState("load");
	assert(await page.getByRole("tab", { selected: true }).textContent() === "TF Serving", "the choice is forgotten");
	await page.goto(`${page.url()}#use-curl`);
	await page.reload();
	await page.waitForLoadState("load");
	assert(await page.getByRole("tab", { selected: true }).textContent() === "curl", "the link does not choose");
}
