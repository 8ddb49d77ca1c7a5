// SPDX-License-Identifier: Apache-2.0
// A version's page: clients as tabs, functions that can be sifted, and a button that has the version fetched.
import { offerCopies } from "./copy.js";

const root = document.body.dataset.root;

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

// The client that is chosen is kept for the next page, and in the address.
const remembered = "larder-client";

function remember(panel) {
	history.replaceState(null, "", `#${panel.id}`);
	try {
		localStorage.setItem(remembered, panel.id);
	} catch {
		// Where nothing may be kept, nothing is.
	}
}

function recall(panels) {
	let kept = "";
	try {
		kept = localStorage.getItem(remembered);
	} catch {
		// As above.
	}
	const linked = panels.findIndex((panel) => `#${panel.id}` === location.hash);
	return linked >= 0 ? linked : Math.max(0, panels.findIndex((panel) => panel.id === kept));
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
			remember(panels[chosen]);
		}
	});
	list.addEventListener("keydown", (event) => {
		const at = tabs.indexOf(event.target);
		const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
		if (at >= 0 && next !== undefined) {
			event.preventDefault();
			const chosen = (next + tabs.length) % tabs.length;
			choose(tabs, panels, chosen, true);
			remember(panels[chosen]);
		}
	});
	box.classList.add("tabbed");
	box.prepend(list);
	choose(tabs, panels, recall(panels), false);
	addEventListener("hashchange", () => choose(tabs, panels, recall(panels), false));
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

function openTarget() {
	const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
	if (target?.matches("details.function")) {
		target.open = true;
	}
}

// Starts the fill and tells where it is to be watched.
async function fetchNow(path, status) {
	status.textContent = "Asking…";
	const answer = await fetch(`${root}/api/v1/fills`, {
		method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ paths: [path] }),
	});
	const told = await answer.json();
	const refused = told.refused?.[0]?.detail ?? told.detail;
	status.textContent = refused ?? "It is on its way: ";
	if (!refused) {
		const link = document.createElement("a");
		link.href = `${root}/-/activity`;
		link.textContent = "watch it come";
		status.append(link);
	}
}

function offerFetch(box) {
	const line = document.createElement("p");
	const button = document.createElement("button");
	const status = document.createElement("span");
	button.type = "button";
	button.textContent = "Fetch it now";
	status.setAttribute("role", "status");
	button.addEventListener("click", () => {
		fetchNow(box.dataset.path, status).catch((error) => { status.textContent = String(error); });
	});
	line.append(button, " ", status);
	box.classList.add("ready");
	box.append(line);
}

document.querySelectorAll("[data-tabs]").forEach(tabbed);
document.querySelectorAll(".functions:has(.sift)").forEach(sifted);
addEventListener("hashchange", openTarget);
openTarget();
document.querySelectorAll("#fetch").forEach(offerFetch);
offerCopies(document);
