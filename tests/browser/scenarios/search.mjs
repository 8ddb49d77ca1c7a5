// SPDX-License-Identifier: Apache-2.0
// Search as you type: the list follows the field, the address follows the list.
export default async function ({ open, shoot, until, arrive, assert }) {
	const page = await open("/");
	await page.evaluate(() => { globalThis.sameDocument = true; });
	await page.locator("#count").getByText("4 modules").waitFor();
	await page.locator("#q").pressSequentially("nnlm");
	// As many match before the last letter.
	await page.waitForURL((to) => to.search === "?q=nnlm");
	await page.locator("#count").getByText("2 modules match").waitFor();
	const names = await page.locator(".card h3").allTextContents();
	assert(names.sort().join() === "acme/nnlm-de,acme/nnlm-en", `found ${names}`);
	assert(await page.evaluate(() => globalThis.sameDocument), "the page was loaded anew");
	assert(await page.evaluate(() => document.activeElement.id) === "q", "the field lost the focus");
	assert(await page.locator("#count").getAttribute("role") === "status", "the count is not announced");
	await shoot(page, "search");

	await page.locator("#q").fill("sentences german");
	await page.locator("#count").getByText("1 module matches").waitFor();
	await page.locator("#q").fill("nothing like it");
	await page.getByRole("heading", { name: "No module matches" }).waitFor();
	await shoot(page, "search-without-match");
	await page.locator("#q").fill("mobilenet");
	await page.locator("#count").getByText("1 module matches").waitFor();
	const before = await page.evaluate(() => history.length);
	await page.locator("#q").press("Enter");
	await until(page, (length) => history.length > length, "what was asked for is not remembered", before);
	await page.locator("#count").getByText("1 module matches").waitFor();
	await page.locator(".card h3 a").click();
	await arrive(page, "mobilenet");
	await page.goBack();
	await page.locator("#count").getByText("1 module matches").waitFor();
	assert(await page.locator("#q").inputValue() === "mobilenet", "the field forgot its words");
}
