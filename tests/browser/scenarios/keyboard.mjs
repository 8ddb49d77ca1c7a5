// SPDX-License-Identifier: Apache-2.0
// By keyboard alone: a way past the header, a visible focus, tabs by arrows, "/" for the field.
export default async function ({ open, until, assert }) {
	const page = await open("/acme/nnlm-en/1");
	await page.keyboard.press("Tab");
	assert(await page.evaluate(() => document.activeElement.className) === "skip", "the first stop is not the skip link");
	assert(await page.locator(".skip").evaluate((link) => getComputedStyle(link).outlineStyle) === "solid", "the focus cannot be seen");
	await page.keyboard.press("Enter");
	await until(page, () => document.activeElement.id === "main", "the skip link leads nowhere");
	await page.getByRole("tab", { selected: true }).focus();
	await page.keyboard.press("ArrowRight");
	assert(await page.getByRole("tab", { selected: true }).textContent() === "KerasLayer", "the arrow does not move");
	await page.keyboard.press("End");
	await page.keyboard.press("ArrowRight");
	assert(await page.getByRole("tab", { selected: true }).textContent() === "hub.load", "the tabs do not go round");
	await page.getByRole("link", { name: "Larder" }).press("Enter");
	await page.locator("#count").waitFor();
	// Keys are heard once the scripts have run, which is after the first look at the list.
	await page.waitForLoadState("load");
	await page.keyboard.press("/");
	await page.keyboard.type("resnet");
	await page.locator("#count").getByText("1 module matches").waitFor();
	await page.keyboard.press("Enter");
	await page.waitForURL(/q=resnet/);
}
