// SPDX-License-Identifier: Apache-2.0
// A list of cards whose next page is put below this one.
import { offerCopies } from "./copy.js";

export async function load(url, signal) {
	const answer = await fetch(url, { headers: { Accept: "text/html" }, signal });
	return new DOMParser().parseFromString(await answer.text(), "text/html");
}

async function append(link) {
	const page = await load(link.href);
	const first = document.importNode(page.querySelector(".cards > li"), true);
	document.querySelector(".cards").append(first, ...page.querySelectorAll(".cards > li:not(:first-child)"));
	link.closest(".more").replaceWith(...page.querySelectorAll(".more"));
	first.querySelector("a").focus({ preventScroll: true });
}

document.addEventListener("click", (event) => {
	const link = event.target.closest?.("a[rel=next]");
	if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
		event.preventDefault();
		append(link).catch(() => location.assign(link.href));
	}
});
offerCopies(document);
