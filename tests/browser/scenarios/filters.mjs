// SPDX-License-Identifier: Apache-2.0
// Facets: checking one narrows the list without a reload; its alternatives stay; all can be taken back.
export default async function ({ open, shoot, assert }) {
	const page = await open("/");
	await page.evaluate(() => { globalThis.sameDocument = true; });
	const task = page.getByRole("group", { name: "Task" });
	await task.getByLabel("text-embedding").check();
	await page.locator("#count").getByText("2 modules match").waitFor();
	assert(await task.getByLabel("text-embedding").isChecked(), "what was chosen is not checked");
	assert(await task.getByLabel("image-classification").isVisible(), "the alternatives went away");
	assert(await page.evaluate(() => document.activeElement.value) === "text-embedding", "the box lost the focus");
	await shoot(page, "filters");

	await task.getByLabel("image-classification").check();
	await page.locator("#count").getByText("4 modules match").waitFor();
	await page.getByRole("group", { name: "Language" }).getByLabel("de").check();
	await page.locator("#count").getByText("1 module matches").waitFor();
	assert((await page.locator(".card h3").textContent()).trim() === "acme/nnlm-de", "the wrong module");
	assert(await page.evaluate(() => globalThis.sameDocument), "the page was loaded anew");

	await page.goto(page.url());
	await page.locator("#count").getByText("1 module matches").waitFor();
	await page.getByRole("link", { name: "Without Language: de" }).click();
	await page.locator("#count").getByText("4 modules match").waitFor();
	assert(await page.getByRole("group", { name: "Task" }).getByLabel("text-embedding").isChecked(), "too much was taken back");
	await page.getByRole("link", { name: "Clear all filters" }).click();
	// As many match without a filter, so that only the address tells that the page is the next one.
	await page.waitForURL((to) => !to.searchParams.has("task"));
	await page.locator("#count").getByText("4 modules", { exact: true }).waitFor();
	await page.getByLabel("Sort by").selectOption("name");
	await page.waitForURL(/sort=name/);
	const names = (await page.locator(".card h3").allTextContents()).map((name) => name.trim());
	assert(names.join() === [...names].sort().join(), `not by name: ${names}`);
}
