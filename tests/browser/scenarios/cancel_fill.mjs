// SPDX-License-Identifier: Apache-2.0
// A download is ended by who has a token for that, with scripts and without; nobody else ends one, and no address that is only opened.
export default async function ({ open, audit, shoot, assert, args }) {
	for (const javaScriptEnabled of [true, false]) {
		const page = await open("/-/activity", { javaScriptEnabled });
		const row = page.locator("#fills tr").filter({ hasText: javaScriptEnabled ? "far/first/1" : "far/second/1" });
		await row.getByRole("link", { name: "Cancel" }).click();
		await page.getByRole("heading", { level: 1, name: "Download of far/" }).waitFor();
		await page.getByText(/ of 4\.\d MiB/).waitFor();
		if (javaScriptEnabled) {
			await audit(page);
		}
		await page.getByLabel("Token").fill("lrd_wrong");
		await page.getByRole("button", { name: "Cancel the download" }).click();
		await page.getByText("Not cancelled.").waitFor();
		assert(await page.getByLabel("Token").inputValue() === "", "the token is in the page");
		await shoot(page, "cancel-refused");
		await page.getByLabel("Token").fill(args.token);
		await page.getByRole("button", { name: "Cancel the download" }).click();
		await page.waitForURL(/\/-\/activity$/);
		const ended = page.locator("#ended-fills tr").filter({ hasText: javaScriptEnabled ? "far/first/1" : "far/second/1" });
		for (let look = 0; look < 600 && await ended.count() === 0; look++) {
			await page.reload();
		}
		await ended.getByText("failed").waitFor();
	}
}
