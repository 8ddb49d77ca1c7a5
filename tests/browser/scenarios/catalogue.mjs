// SPDX-License-Identifier: Apache-2.0
// The pages as they are once a whole catalogue is listed and real models are published.
export default async function ({ open, audit, shoot, assert, args }) {
	const page = await open("/");
	const count = (await page.locator("#count").textContent()).replace(/\D/g, "");
	assert(Number(count) === args.modules, `${count} modules instead of ${args.modules}`);
	await shoot(page, "catalogue-home");
	await page.getByLabel("Search modules").fill("universal sentence enc");
	await page.locator(".card h3", { hasText: "universal-sentence-encoder" }).first().waitFor();
	await shoot(page, "catalogue-search");

	await page.goto(new URL("/google/universal-sentence-encoder/4", page.url()).href);
	await page.getByRole("heading", { level: 1, name: "universal-sentence-encoder" }).waitFor();
	assert(await page.getByText("text-embedding").first().isVisible(), "no task");
	await audit(page);
	await shoot(page, "catalogue-listed");

	await page.goto(new URL(args.published, page.url()).href);
	await page.getByText("serving_default", { exact: true }).first().waitFor();
	await shoot(page, "catalogue-published");

	await page.getByRole("button", { name: "Compare" }).click();
	await page.getByRole("heading", { level: 1, name: "version 1 and version 2" }).waitFor();
	await audit(page);
	await shoot(page, "catalogue-compare");

	await page.getByRole("link", { name: "Activity" }).click();
	await page.getByRole("heading", { name: "New on this server" }).waitFor();
	await shoot(page, "catalogue-activity");
}
