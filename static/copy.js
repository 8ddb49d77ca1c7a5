// SPDX-License-Identifier: Apache-2.0
// A button beside each piece of code, which puts it on the clipboard.

async function write(text) {
	try {
		await navigator.clipboard.writeText(text);
		return true;
	} catch {
		return false;
	}
}

// Over plain HTTP from another machine browsers have no clipboard for us: what is selected can be copied by hand.
function select(code) {
	const range = document.createRange();
	range.selectNodeContents(code);
	getSelection().removeAllRanges();
	getSelection().addRange(range);
	return document.execCommand("copy");
}

async function copy(button, code) {
	const done = await write(code.textContent) || select(code);
	button.textContent = done ? "Copied" : "Selected";
	setTimeout(() => { button.textContent = "Copy"; }, 2000);
}

// A digest is shown short and copied whole.
function offer(box, code, label) {
	const button = document.createElement("button");
	button.type = "button";
	button.className = "quiet";
	button.textContent = "Copy";
	button.setAttribute("aria-live", "polite");
	button.setAttribute("aria-label", `Copy: ${label}`);
	button.addEventListener("click", () => {
		button.removeAttribute("aria-label");
		copy(button, code);
	});
	box.append(button);
}

export function offerCopies(root) {
	for (const box of root.querySelectorAll(".code:not(:has(button))")) {
		offer(box, box.querySelector("code"), box.querySelector("pre").getAttribute("aria-label"));
	}
	for (const cell of root.querySelectorAll("td.digest:not(:has(button))")) {
		offer(cell, cell.querySelector("code"), "digest");
	}
}
