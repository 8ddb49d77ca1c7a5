// SPDX-License-Identifier: Apache-2.0
// Each client's code can be copied, and names this very server.
export default async function ({ open, assert, url }) {
	const page = await open("/acme/nnlm-en/1", { permissions: ["clipboard-read", "clipboard-write"] });
	for (const tab of await page.getByRole("tab").all()) {
		await tab.click();
		const panel = page.getByRole("tabpanel");
		const button = panel.getByRole("button");
		assert(await button.textContent() === "Copy", "no button to copy");
		// It says so for a moment only.
		const told = button.evaluate((element) => new Promise((resolve) => {
			new MutationObserver(() => element.textContent === "Copied" && resolve()).observe(element, { childList: true });
		}));
		await button.click();
		await told;
		const copied = await page.evaluate(() => navigator.clipboard.readText());
		assert(copied === await panel.locator("code").textContent(), `copied ${copied}`);
		assert(copied.includes(`${url}`) && copied.includes("acme/nnlm-en"), `${copied} names another server`);
	}
}
