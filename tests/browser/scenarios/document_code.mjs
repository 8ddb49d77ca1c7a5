// SPDX-License-Identifier: Apache-2.0
// Code in documentation loads from this server, says so, and is copied; its tables keep their alignment.
export default async function ({ open, audit, assert, shoot, url }) {
	const page = await open("/acme/documented/1", { permissions: ["clipboard-read", "clipboard-write"] });
	await page.getByText("loads from this server what was written to be loaded from elsewhere").waitFor();
	const block = page.locator(".document .code").filter({ hasText: "KerasLayer" });
	await block.getByRole("button", { name: "Copy: Code 1" }).click();
	await block.getByRole("button", { name: "Copied" }).waitFor();
	const copied = await page.evaluate(() => navigator.clipboard.readText());
	assert(copied === `model = hub.KerasLayer("${url}/acme/documented/1")\n`, `copied ${copied}`);
	await page.getByText(`hub.load("${url}/acme/documented/1")`, { exact: true }).waitFor();
	const text = page.getByRole("link", { name: "https://tfhub.dev/acme/documented/1" });
	assert(await text.getAttribute("href") === "/acme/documented/1", "the link leads elsewhere");
	const aligned = await page.locator(".document td").evaluateAll((cells) => cells.map((cell) => getComputedStyle(cell).textAlign));
	assert(aligned.join() === "left,center,right", `a table is aligned ${aligned}`);
	const long = page.locator(".document pre").last();
	await long.focus();
	await page.keyboard.press("End");
	await page.keyboard.press("ArrowRight");
	assert(await long.evaluate((pre) => document.activeElement === pre && pre.scrollWidth > pre.clientWidth), "what scrolls cannot be focused");
	await audit(page);
	await shoot(page, "document-code");
	const plain = await open("/acme/documented/1", { javaScriptEnabled: false });
	assert(await plain.getByRole("button", { name: /Copy/ }).count() === 0, "a button that does nothing");
}
