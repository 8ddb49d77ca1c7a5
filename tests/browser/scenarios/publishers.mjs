// SPDX-License-Identifier: Apache-2.0
// The list of publishers: found by a part, sorted; and a search within one of them.
export default async function ({ open, audit, shoot, assert }) {
	const page = await open("/-/publishers");
	const names = async () => (await page.locator(".card h3").allTextContents()).map((name) => name.trim());
	await page.locator("#count").getByText("2 publishers").waitFor();
	await page.getByLabel("Sort by").selectOption("name");
	await page.getByRole("button", { name: "Search" }).click();
	await page.waitForURL(/sort=name/);
	assert((await names()).join() === "acme,lab", `by name: ${await names()}`);
	await page.getByLabel("Search publishers").fill("la");
	await page.getByLabel("Search publishers").press("Enter");
	await page.waitForURL(/q=la/);
	await page.locator("#count").getByText("1 publisher", { exact: true }).waitFor();
	await audit(page);
	await shoot(page, "publishers");

	await page.locator(".card").getByRole("link", { name: "lab" }).click();
	await page.getByRole("heading", { level: 1, name: "lab" }).waitFor();
	await page.getByLabel("Search the modules of lab").fill("resnet");
	await page.getByLabel("Search the modules of lab").press("Enter");
	await page.waitForURL(/q=resnet/);
	await page.locator("#count").getByText("1 module matches").waitFor();
	assert((await page.locator(".card h3").allTextContents()).join().trim() === "lab/resnet", "another module, or what else the publisher has");
	await page.getByRole("link", { name: "Show all of them" }).click();
	await page.waitForURL((to) => !to.searchParams.has("q"));
	assert(await page.getByText("lab/mobilenet").first().isVisible(), "the others do not come back");
}
