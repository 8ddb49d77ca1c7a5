// SPDX-License-Identifier: Apache-2.0
// The pages as they are once a whole catalogue is listed and real models are published.
export default async function ({ open, audit, shoot, arrive, assert, args }) {
	const page = await open("/");
	const count = (await page.locator("#count").textContent()).replace(/\D/g, "");
	assert(Number(count) === args.modules, `${count} modules instead of ${args.modules}`);
	await shoot(page, "catalogue-home");
	const first = page.locator(".card h3").first();
	for (const [words, handle] of [["mobilenet v2", "google/imagenet/mobilenet_v2_100_224/classification"],
		["use", "google/universal-sentence-encoder"], ["https://tfhub.dev/google/elmo/3", "google/elmo"],
		["universal sentence enc", "google/universal-sentence-encoder"]]) {
		await page.locator("#q").fill(words);
		await first.getByText(handle, { exact: true }).or(first.filter({ hasText: handle })).first().waitFor();
		assert((await first.textContent()).trim() === handle, `${words}: ${await first.textContent()} comes first`);
		assert(await page.locator(".card mark").first().isVisible(), `${words}: nothing is marked`);
	}
	await page.locator("#q").fill("mobilnet");
	await page.getByRole("link", { name: "mobilenet", exact: true }).click();
	await page.waitForURL(/[?&]q=mobilenet(&|$)/);
	await page.locator("#count").getByText("match").waitFor();
	assert(await page.locator("#q").inputValue() === "mobilenet", "the typo stayed");
	await page.locator("#q").fill("universal sentence enc");
	await first.filter({ hasText: "google/universal-sentence-encoder" }).waitFor();
	await shoot(page, "catalogue-search");

	await page.goto(new URL("/google/universal-sentence-encoder/4", page.url()).href);
	await arrive(page, "universal-sentence-encoder");
	assert(await page.getByText("text-embedding").first().isVisible(), "no task");
	await audit(page);
	await shoot(page, "catalogue-listed");

	await page.goto(new URL(args.published, page.url()).href);
	await page.getByText("serving_default", { exact: true }).first().waitFor();
	await shoot(page, "catalogue-published");

	await page.getByRole("button", { name: "Compare" }).click();
	await arrive(page, "version 1 and version 2");
	await audit(page);
	await shoot(page, "catalogue-compare");

	await page.getByRole("link", { name: "Activity" }).click();
	await page.getByRole("heading", { name: "New on this server" }).waitFor();
	await shoot(page, "catalogue-activity");
}
