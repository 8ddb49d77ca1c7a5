// SPDX-License-Identifier: Apache-2.0
// Search as you type, and filters that need no reload: the server's own page is asked for and its list shown in place of
// ours, so that there is one way to draw a list.
import { offerCopies } from "./copy.js";
import { load } from "./list.js";

const PAUSE_MS = 120;
const form = document.getElementById("search");
const field = document.getElementById("q");
let timer;
let running;

function address() {
	const words = new URLSearchParams();
	for (const [name, value] of new FormData(form)) {
		if (value) {
			words.append(name, value);
		}
	}
	const query = words.toString();
	return form.getAttribute("action") + (query ? `?${query}` : "");
}

// What was asked before is of no use any more.
function ask(url) {
	running?.abort();
	running = new AbortController();
	return load(url, running.signal);
}

// Which checkbox, button or link has the focus, so that its successor can have it.
function focused() {
	const element = document.activeElement;
	if (!element || element === field || !element.closest(".browse")) {
		return null;
	}
	return element.name ? `[name="${CSS.escape(element.name)}"]` + (element.type === "checkbox" ? `[value="${CSS.escape(element.value)}"]` : "") : null;
}

// A field that somebody writes in goes on with what is in it by now.
function takeOver(successor, writing) {
	if (writing) {
		successor.value = writing.value;
		successor.setSelectionRange(writing.selectionStart, writing.selectionEnd);
	}
	successor.focus({ preventScroll: true });
}

function opened() {
	return [...document.querySelectorAll("#filters fieldset:has(details[open])")].map((group) => group.dataset.key);
}

function show(page) {
	const focus = focused();
	const writing = focus && document.activeElement.matches("input[type=search]") ? document.activeElement : null;
	const groups = opened();
	const unfolded = document.getElementById("filters")?.classList.contains("open");
	const browse = document.querySelector(".browse");
	browse.replaceChildren(...page.querySelector(".browse").childNodes);
	for (const key of groups) {
		document.querySelector(`#filters fieldset[data-key="${CSS.escape(key)}"] details`)?.setAttribute("open", "");
	}
	if (unfolded) {
		fold(true);
	}
	const successor = focus && document.querySelector(focus);
	if (successor) {
		takeOver(successor, writing);
	}
	document.title = page.title;
	offerCopies(browse);
	announce();
}

// A status that is new in the page is not read out; one whose text changes is.
function announce() {
	const count = document.getElementById("count");
	if (count) {
		const text = count.textContent;
		count.textContent = "";
		requestAnimationFrame(() => { count.textContent = text; });
	}
}

async function update(remember) {
	const url = address();
	try {
		show(await ask(url));
		history[remember ? "pushState" : "replaceState"](null, "", url);
	} catch (error) {
		if (error.name !== "AbortError") {
			location.assign(url);
		}
	}
}

function fold(open) {
	const filters = document.getElementById("filters");
	filters.classList.toggle("open", open);
	filters.querySelector(".fold").setAttribute("aria-expanded", String(open));
}

document.addEventListener("input", (event) => {
	if (event.target.form === form && event.target.type === "search") {
		clearTimeout(timer);
		timer = setTimeout(() => update(false), PAUSE_MS);
	}
});
form.addEventListener("submit", (event) => {
	event.preventDefault();
	clearTimeout(timer);
	update(true);
});
document.addEventListener("change", (event) => {
	if (event.target.form === form && event.target.type !== "search") {
		update(true);
	}
});
document.addEventListener("click", (event) => {
	if (event.target.closest?.(".fold")) {
		fold(!document.getElementById("filters").classList.contains("open"));
	}
});
document.addEventListener("keydown", (event) => {
	if (event.key === "/" && !event.target.matches("input, select, textarea")) {
		event.preventDefault();
		field.focus();
	}
});
addEventListener("popstate", () => location.reload());
