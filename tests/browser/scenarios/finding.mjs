// SPDX-License-Identifier: Apache-2.0
// From what somebody has in mind to the module: a name, an address, a typo, a publisher, a collection.
export default async function ({ open, assert }) {
	const page = await open("/");
	const first = page.locator(".card h3").first();
	for (const words of ["lab/resnet", "lab/resnet/4", "https://tfhub.dev/lab/resnet/4", "tfhub.dev/lab/resnet/4?tf-hub-format=compressed"]) {
		await page.locator("#q").fill("nnlm");
		await first.getByText("acme/nnlm", { exact: false }).waitFor();
		await page.locator("#q").fill(words);
		await first.filter({ hasText: "lab/resnet" }).waitFor();
		assert(await page.locator(".card mark").first().isVisible(), `${words}: nothing is marked`);
	}
	await page.locator("#q").fill("https://tfhub.dev/far/away/3");
	await page.locator(".hint").getByText("is not known here").waitFor();
	assert(await page.getByRole("link", { name: "far/away/3" }).getAttribute("href") === "/far/away/3", "the name leads elsewhere");

	await page.locator("#q").fill("mobilnet");
	await page.getByText("Did you mean").getByRole("link", { name: "mobilenet" }).click();
	await page.waitForURL(/q=mobilenet/);
	await first.filter({ hasText: "lab/mobilenet" }).waitFor();
	assert(await page.locator("#q").inputValue() === "mobilenet", "the typo stayed");
	assert(await page.getByText("Did you mean").count() === 0, "a right word is doubted");

	await page.locator("#q").fill("lab");
	await page.locator(".hint").getByRole("link", { name: "lab", exact: true }).waitFor();
	await page.locator("#q").fill("pictures");
	await page.locator(".hint").getByRole("link", { name: "lab/pictures" }).click();
	await page.getByRole("heading", { level: 1, name: "pictures" }).waitFor();

	const refused = await open("/?licence=mit");
	await refused.getByText(/did you mean.*license/i).waitFor();
}
