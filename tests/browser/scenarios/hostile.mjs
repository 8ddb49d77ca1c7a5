// SPDX-License-Identifier: Apache-2.0
// Names, signatures and documentation that try to run: they are shown, and nothing else happens.
export default async function ({ open, shoot, assert }) {
	for (const path of ["/acme/hostile/1", "/", "/?q=hostile", "/acme", "/-/compare/acme/hostile", "/-/compare/acme/hostile?from=2&to=1", "/-/activity", "/?q=%3Cscript%3EglobalThis.harmed%3Dtrue%3C/script%3E"]) {
		const page = await open(path);
		await page.waitForLoadState();
		assert(await page.evaluate(() => globalThis.harmed) === undefined, `${path} ran something`);
		assert(await page.locator("main img, main iframe, main script").count() === 0, `${path} has foreign elements`);
		assert(await page.locator("a[href^='javascript' i]").count() === 0, `${path} has a link that runs`);
	}
	const page = await open("/acme/hostile/1");
	await page.getByText("<script>globalThis.harmed = true</script>").first().waitFor();
	await page.getByText("assets/<img src=x onerror=alert(1)>").waitFor();
	await shoot(page, "hostile");
	await page.locator("#q, #find").fill("<img src=x onerror=globalThis.harmed=true>");
	await page.keyboard.press("Enter");
	await page.waitForURL(/q=/);
	assert(await page.evaluate(() => globalThis.harmed) === undefined, "the search ran something");
}
