// SPDX-License-Identifier: Apache-2.0
// From a publisher to its collection, to a module of it, and by the search for collections.
export default async function ({ open, shoot, arrive, assert }) {
	const page = await open("/lab");
	await page.getByText("2 modules and 1 collection").waitFor();
	await page.getByRole("link", { name: "lab/pictures" }).click();
	await arrive(page, "pictures");
	const names = (await page.locator(".card h3").allTextContents()).map((name) => name.trim());
	assert(names.join() === "lab/mobilenet,lab/resnet", `the collection has ${names}`);
	assert(await page.getByRole("link", { name: "the small one" }).getAttribute("href") === "/lab/mobilenet/1", "the link leads elsewhere");
	await shoot(page, "collection");
	await page.getByRole("link", { name: "the small one" }).click();
	await page.getByRole("heading", { level: 1, name: "mobilenet" }).waitFor();

	await page.getByRole("link", { name: "Collections" }).click();
	await page.getByLabel("Search collections").fill("pictures nothing");
	await page.keyboard.press("Enter");
	await page.getByRole("heading", { name: "No collection matches" }).waitFor();
	await page.getByLabel("Search collections").fill("picture");
	await page.getByRole("button", { name: "Search" }).click();
	await page.getByText("1 collection matches").waitFor();
	await shoot(page, "collections");
}
