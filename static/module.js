// SPDX-License-Identifier: Apache-2.0
// A version's page: clients and formats as tabs, functions that can be sifted, and a fill that is watched.
import { offerCopies } from "./copy.js";

function choose(tabs, panels, chosen, focus) {
	tabs.forEach((tab, i) => {
		tab.setAttribute("aria-selected", String(i === chosen));
		tab.tabIndex = i === chosen ? 0 : -1;
		panels[i].hidden = i !== chosen;
	});
	if (focus) {
		tabs[chosen].focus();
	}
}

// What is chosen in each box of tabs is kept for the next page, and in the address.
function keyOf(box) {
	return `larder-${box.dataset.tabs.toLowerCase()}`;
}

function remember(box, panel) {
	history.replaceState(null, "", `#${panel.id}`);
	try {
		localStorage.setItem(keyOf(box), panel.id);
	} catch {
		// Where nothing may be kept, nothing is.
	}
}

function linked(panels) {
	return panels.findIndex((panel) => `#${panel.id}` === location.hash);
}

function recall(box, panels) {
	let kept = "";
	try {
		kept = localStorage.getItem(keyOf(box));
	} catch {
		// As above.
	}
	const open = panels.findIndex((panel) => panel.classList.contains("open"));
	return [linked(panels), panels.findIndex((panel) => panel.id === kept), open, 0].find((place) => place >= 0);
}

function makeTab(panel) {
	const tab = document.createElement("button");
	tab.type = "button";
	tab.role = "tab";
	tab.id = `${panel.id}-tab`;
	tab.textContent = panel.querySelector("h3").textContent;
	tab.setAttribute("aria-controls", panel.id);
	panel.role = "tabpanel";
	panel.setAttribute("aria-labelledby", tab.id);
	return tab;
}

function tabbed(box) {
	const panels = [...box.querySelectorAll(":scope > .panel")];
	if (panels.length < 2) {
		return;
	}
	const list = document.createElement("div");
	const tabs = panels.map(makeTab);
	list.className = "tabs";
	list.role = "tablist";
	list.setAttribute("aria-label", box.dataset.tabs);
	list.append(...tabs);
	list.addEventListener("click", (event) => {
		const chosen = tabs.indexOf(event.target);
		if (chosen >= 0) {
			choose(tabs, panels, chosen, false);
			remember(box, panels[chosen]);
		}
	});
	list.addEventListener("keydown", (event) => {
		const at = tabs.indexOf(event.target);
		const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
		if (at >= 0 && next !== undefined) {
			event.preventDefault();
			const chosen = (next + tabs.length) % tabs.length;
			choose(tabs, panels, chosen, true);
			remember(box, panels[chosen]);
		}
	});
	box.classList.add("tabbed");
	box.prepend(list);
	choose(tabs, panels, recall(box, panels), false);
	addEventListener("hashchange", () => {
		if (linked(panels) >= 0) {
			choose(tabs, panels, linked(panels), false);
		}
	});
}

// Shows the functions whose line has the words.
function sifted(box) {
	const field = box.querySelector("input");
	const functions = [...box.querySelectorAll(".function")];
	field.addEventListener("input", () => {
		const words = field.value.toLowerCase().split(/\s+/);
		for (const one of functions) {
			const line = one.querySelector("code").textContent.toLowerCase();
			one.hidden = !words.every((word) => line.includes(word));
		}
	});
}

// An address that is no text names nothing.
function nameInAddress() {
	try {
		return decodeURIComponent(location.hash.slice(1));
	} catch {
		return "";
	}
}

function openTarget() {
	const target = document.getElementById(nameInAddress());
	if (target?.matches("details.function")) {
		target.open = true;
	}
}

document.querySelectorAll("[data-tabs]").forEach(tabbed);
document.querySelectorAll(".functions:has(.sift)").forEach(sifted);
addEventListener("hashchange", openTarget);
openTarget();
if (document.getElementById("fetch")) {
	import("./fill.js").then(({ watchFills }) => watchFills());
}
offerCopies(document);
