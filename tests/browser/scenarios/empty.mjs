// SPDX-License-Identifier: Apache-2.0
// Nothing is here yet: the pages say what to do.
export default async function ({ open, audit, shoot, assert, url }) {
	const page = await open("/", { permissions: ["clipboard-read", "clipboard-write"] });
	await page.getByRole("heading", { name: "Nothing is here yet" }).waitFor();
	await page.getByRole("button", { name: "Copy: Publish a module" }).click();
	const copied = await page.evaluate(() => navigator.clipboard.readText());
	assert(copied === `larder publish my-model/ ${url}/acme/my-model/1`, copied);
	await audit(page);
	await shoot(page, "empty");
	const activity = await open("/-/activity");
	await activity.getByText("Nothing is being downloaded.").waitFor();
	await audit(activity);
}
