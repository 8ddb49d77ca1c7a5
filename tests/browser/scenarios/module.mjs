// SPDX-License-Identifier: Apache-2.0
// A module's page: what people come for is there, and leads on.
export default async function ({ open, shoot, assert }) {
	const page = await open("/acme/nnlm-en");
	await page.getByRole("heading", { level: 1, name: "nnlm-en" }).waitFor();
	await page.getByText("English sentences as numbers, again.", { exact: true }).waitFor();
	await page.getByRole("heading", { name: "Overview" }).waitFor();
	assert(await page.locator(".document table").count() === 1, "the documentation's table is not one");
	assert(await page.locator(".document img").count() === 0, "the documentation loads an image");
	assert(await page.getByRole("link", { name: "a picture" }).getAttribute("href") === "https://example.org/a.png", "the image is no link");
	const table = page.getByRole("group", { name: "serving_default" });
	const rows = await table.getByRole("row").allInnerTexts();
	assert(rows.some((row) => /^y\s+float16\s+\[\?, 1\]\s+y:0$/.test(row)), `signatures: ${rows.join(" | ")}`);
	await page.getByText("variables/variables.index").waitFor();
	assert(await page.getByText(/^sha256:[0-9a-f]{64}$/).count() === 1, "no digest");
	await shoot(page, "module");

	await page.getByRole("link", { name: "Version 1" }).click();
	await page.waitForURL(/nnlm-en\/1$/);
	for (const client of ["hub.load", "KerasLayer", "kagglehub", "TF.js", "TF Lite", "curl"]) {
		await page.getByRole("tab", { name: client, exact: true }).click();
		assert(await page.getByRole("tabpanel").count() === 1, "more than one panel is open");
		assert((await page.getByRole("tabpanel").locator("code").textContent()).includes("/acme/nnlm-en/1"), `${client} names another URL`);
	}
	await shoot(page, "module-formats");
	await page.getByRole("link", { name: "text-embedding" }).click();
	await page.locator("#count").getByText("2 modules match").waitFor();
	await page.locator(".card h3 a").first().click();
	await page.getByRole("link", { name: "acme", exact: true }).click();
	await page.getByRole("heading", { level: 1, name: "acme" }).waitFor();
	await shoot(page, "publisher");
}
