// SPDX-License-Identifier: Apache-2.0
// A fill is started on one page and watched on another, from its first bytes to its end.
export default async function ({ open, shoot, tell, until, assert }) {
	const activity = await open("/-/activity");
	await activity.locator("#live").getByText("Live", { exact: true }).waitFor();
	assert(await activity.locator("#no-fills").isVisible(), "a fill is running already");
	const page = await open("/far/away/3");
	await page.getByRole("button", { name: "Store it here now", exact: true }).click();
	await page.getByRole("status").getByText("Downloading").waitFor();

	const row = activity.locator("#fills tr").filter({ hasText: "far/away/3" });
	await row.waitFor();
	await until(activity, () => {
		const bar = document.querySelector("#fills progress");
		return bar !== null && bar.value > 0 && bar.value < bar.max;
	}, "the fill's bar never stood between its ends");
	await shoot(activity, "activity-live");
	await tell("halfway");
	await activity.locator("#ended-fills tr").filter({ hasText: "far/away/3" }).getByText("stored").waitFor();
	await activity.locator("#recent tr").filter({ hasText: "far/away/3" }).waitFor();
	await row.waitFor({ state: "detached" });
	await page.reload();
	await page.getByRole("heading", { level: 1, name: "away" }).waitFor();
}
