// SPDX-License-Identifier: Apache-2.0
// What was downloaded of late comes first where it is asked for, and its page draws its year.
export default async function ({ open, audit, shoot, assert, args }) {
	const page = await open("/");
	await page.getByLabel("Sort by").selectOption({ label: "Trending" });
	await page.waitForURL(/sort=trending/);
	const first = page.locator(".card").first();
	await first.getByRole("heading", { name: args.handle }).waitFor();
	await first.getByText(`${args.downloads} downloads`).waitFor();
	await first.getByRole("heading").getByRole("link").click();
	await page.getByRole("heading", { level: 1 }).waitFor();
	const chart = page.getByRole("img", { name: "Downloads of each week of a year" });
	await chart.waitFor();
	const named = await chart.getAttribute("aria-label");
	assert(named.includes(`${args.downloads}, ${args.downloads} of them in the last 7 days`), `the chart says ${named}`);
	const drawn = await chart.locator("polyline").getAttribute("points");
	assert(new Set(drawn.split(" ").map((point) => point.split(",")[1])).size === 2, `the line is ${drawn}`);
	await audit(page);
	await shoot(page, "popular");
}
