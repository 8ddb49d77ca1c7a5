// SPDX-License-Identifier: Apache-2.0
// Whoever waits for a version sees how far it is, its end, or why it failed, on its own page and without loading it again.
export default async function ({ open, audit, shoot, tell, assert }) {
	const page = await open("/far/away/3");
	await page.getByRole("button", { name: "Store it here now", exact: true }).click();
	await page.getByRole("status").getByText(/^Downloading from/).waitFor();
	await page.locator("#fetch .told").getByText(/^[\d.]+ [KM]iB of 4\.\d MiB/).waitFor();
	const bar = page.locator("#fetch progress");
	assert(await bar.evaluate((one) => one.value > 0 && one.value < one.max), "the bar stands at an end");
	assert(!await page.getByRole("button", { name: "Store it here now", exact: true }).isVisible(), "it can be asked for twice");
	await audit(page);
	await shoot(page, "fill-running");

	const plain = await open("/far/away/3", { javaScriptEnabled: false });
	await plain.getByText("load it again to see how far it is").waitFor();
	assert(await plain.locator("#fetch progress").evaluate((one) => one.value > 0), "no bar without scripts");
	const other = await open("/far/away/3");
	await other.locator("#fetch.ready .told").getByText(/of 4\.\d MiB/).waitFor();

	await tell("halfway");
	for (const each of [page, other]) {
		await each.getByRole("status").getByText("It is stored here now.").waitFor();
		assert(await each.locator("#fetch progress").isHidden(), "the bar stays");
	}
	await page.getByRole("link", { name: "Show what it has" }).click();
	await page.getByRole("heading", { level: 2, name: "Artifacts" }).waitFor();
	assert(await page.locator("#fetch").count() === 0, "it is here, and the notice as well");

	const broken = await open("/far/broken/1");
	await broken.getByRole("button", { name: "Store it here now", exact: true }).click();
	await broken.getByRole("status").getByText(/^The download failed: .{10}/).waitFor();
	await broken.getByRole("button", { name: "Try again", exact: true }).waitFor();
	await audit(broken);
	await shoot(broken, "fill-failed");
}
