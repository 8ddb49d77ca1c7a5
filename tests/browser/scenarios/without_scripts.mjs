// SPDX-License-Identifier: Apache-2.0
// No JavaScript: reading and searching work all the same.
export default async function ({ open, shoot, arrive, assert }) {
	const page = await open("/", { javaScriptEnabled: false });
	await page.getByLabel("Search modules").fill("nnlm");
	await page.getByLabel("Search modules").press("Enter");
	await page.waitForURL(/q=nnlm/);
	assert(await page.locator("#count").textContent() === "2 modules match", "the list does not follow");
	await page.getByRole("group", { name: "Language" }).getByLabel("de").check();
	await page.getByRole("button", { name: "Apply" }).click();
	await page.waitForURL(/language=de/);
	assert(await page.locator("#count").textContent() === "1 module matches", "the filter does nothing");
	await shoot(page, "without-scripts-filters");
	await page.locator(".card h3 a").click();
	await arrive(page, "nnlm-de");
	for (const client of ["hub.load", "KerasLayer", "curl"]) {
		assert(await page.getByRole("heading", { name: client, exact: true }).isVisible(), `${client} is not shown`);
	}
	assert(await page.getByRole("button", { name: /Copy|Store/ }).count() === 0, "a button that does nothing");
	assert(await page.getByText("serving_default", { exact: true }).isVisible(), "no signatures");
	await shoot(page, "without-scripts-module");
	await page.getByRole("link", { name: "Activity" }).click();
	await page.getByRole("heading", { name: "New on this server" }).waitFor();
}
