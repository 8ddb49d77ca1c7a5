// SPDX-License-Identifier: Apache-2.0
// A group with many values: a part of a name finds one that is not shown, by its code and by what it is called; fields of the model
// narrow as well; each chosen filter is a chip that takes it off.
export default async function ({ open, audit, shoot, assert }) {
	const page = await open("/");
	await page.evaluate(() => { globalThis.sameDocument = true; });
	const languages = page.getByRole("group", { name: "Language" });
	assert(!await languages.getByLabel("sw · Swahili").isVisible(), "all values are shown at once");
	await languages.getByLabel("Find a value of Language").pressSequentially("swah");
	await page.waitForURL((to) => to.searchParams.get("find_language") === "swah");
	assert(await languages.getByRole("checkbox").count() === 1, "others are shown as well");
	assert(await page.evaluate(() => document.activeElement.name) === "find_language", "the field lost the focus");
	await languages.getByLabel("sw · Swahili").check();
	await page.locator("#count").getByText("1 module matches").waitFor();
	await shoot(page, "narrowing");

	await page.getByText("Ops, dtypes, TensorFlow, bytes").click();
	await page.getByLabel("Output dtype").selectOption("string");
	await page.getByRole("heading", { name: "No module matches" }).waitFor();
	await audit(page);
	const chosen = page.getByRole("list", { name: "Chosen filters" });
	assert(await chosen.getByRole("link").count() === 3, "not each filter is a chip");
	await chosen.getByRole("link", { name: "Without Language" }).click();
	await page.waitForURL((to) => !to.searchParams.has("language"));
	await chosen.getByRole("link", { name: "Without Output dtype" }).click();
	await page.waitForURL((to) => !to.searchParams.has("output_dtype"));
	assert(await page.getByRole("list", { name: "Chosen filters" }).count() === 0, "a filter is left");
}
